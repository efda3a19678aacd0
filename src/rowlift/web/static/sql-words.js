// @ts-check
/** What the editor offers beside a catalogue: a dialect of SQL, and the words that people use. */

const WORDS = [
  "select", "distinct", "from", "where", "and", "or", "not", "in", "exists", "between", "like", "is null",
  "is not null", "join", "left join", "inner join", "cross join", "on", "using", "group by", "having",
  "order by", "asc", "desc", "limit", "offset", "union all", "union", "with", "as", "case", "when", "then",
  "else", "end", "cast", "null", "true", "false", "over", "partition by", "filter", "interval",
];
const CALLS = [
  "count", "sum", "avg", "min", "max", "coalesce", "nullif", "lower", "upper", "trim", "concat", "substring",
  "replace", "round", "abs", "row_number", "rank", "lag", "lead", "first_value", "extract",
];

/** By our name of a dialect: CodeMirror's, the schema that needs no name, and what is odd about it. */
const DIALECTS = {
  bigquery: { like: "StandardSQL", home: "", odd: { identifierQuotes: "`", hashComments: true, caseInsensitiveIdentifiers: true } },
  duckdb: { like: "PostgreSQL", home: "main", odd: null },
  mysql: { like: "MariaSQL", home: "", odd: null },
  postgres: { like: "PostgreSQL", home: "public", odd: null },
  redshift: { like: "PostgreSQL", home: "public", odd: null },
  snowflake: { like: "StandardSQL", home: "PUBLIC", odd: { caseInsensitiveIdentifiers: true, slashComments: true } },
  sqlite: { like: "SQLite", home: "main", odd: null },
  tsql: { like: "MSSQL", home: "dbo", odd: null },
};

/** The dialect, its words as completions, and its usual schema. @param {any} cm @param {string} name */
export function wordsOf(cm, name) {
  const { like, home, odd } = DIALECTS[name] ?? { like: "StandardSQL", home: "", odd: null };
  const dialect = odd ? cm.SQLDialect.define({ ...cm[like].spec, ...odd }) : cm[like];
  const words = [
    ...WORDS.map((label) => ({ label, type: "keyword", boost: -1 })),
    ...CALLS.map((label) => ({ label, type: "function", boost: -2 })),
    { label: "last_sync_time", apply: "{{last_sync_time}}", detail: "when the last run began", boost: -3 },
  ];
  return { dialect, words, home };
}

/** A catalogue as completion wants it: schema, table, columns with their types. @param {any[]} tables */
export function schemaOf(tables) {
  /** @type {Record<string, any>} */
  const schemas = Object.create(null);
  for (const { schema, name, columns } of tables) {
    const columns_ = columns.map((/** @type {any} */ one) => ({ label: one.name, detail: one.type_name.toLowerCase(), type: "property" }));
    const within = schema ? (schemas[schema] ??= Object.create(null)) : schemas;
    within[name] = { self: { label: name, type: "type" }, children: columns_ };
  }
  return schemas;
}

const QUOTES = { bigquery: "``", mysql: "``", tsql: "[]" };

/** A name as a dialect reads it, in quotes where it has to be. @param {string} dialect @param {string} name */
export function quoted(dialect, name) {
  if (/^[a-z_][a-z0-9_]*$/.test(name) || (dialect === "snowflake" && /^[A-Z_][A-Z0-9_]*$/.test(name))) return name;
  const [open, close] = QUOTES[dialect] ?? '""';
  return open + name.replaceAll(close, close + close) + close;
}
