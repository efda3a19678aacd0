// @ts-check
/**
 * A textarea as an editor of SQL: colours, completion from a catalogue, places marked. It stays the
 * field of its form; without this file it is what one types into.
 *
 * <sql-editor dialect catalog module label><textarea name="sql"></textarea></sql-editor>
 * dialect: postgres, mysql, tsql, …; catalog: the address of a source's catalogue as the API has it.
 * ⌘/Ctrl+Enter fires `sql-run`, whose detail.sql is what is selected, or all.
 */
import { schemaOf, wordsOf } from "./sql-words.js";

const ROOT = new CSSStyleSheet();
ROOT.replaceSync(".cm-editor { height: 100%; box-sizing: border-box }");

class SqlEditor extends HTMLElement {
  async connectedCallback() {
    if (this.view || this.loading) return;
    this.loading = true;
    const area = this.querySelector("textarea");
    const address = this.getAttribute("module");
    if (!area || !address) return;
    const cm = (this.cm = await import(address));
    this.area = area;
    const had = document.activeElement === area;
    const selection = { anchor: area.selectionStart, head: area.selectionEnd };
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [ROOT];
    this.schema = new cm.Compartment();
    this.view = new cm.EditorView({ doc: area.value, selection, root, parent: root, extensions: this.extensions() });
    if (had) this.view.focus(); // somebody began to write already
    for (const label of area.labels) label.addEventListener("click", () => this.focus());
    this.view.dom.addEventListener("focusin", () => this.complete(), { once: true });
    if (this.marks) this.mark(this.marks);
    this.dispatchEvent(new Event("sql-ready", { bubbles: true }));
  }

  /** The text as it stands. */
  get value() {
    return this.view ? this.view.state.doc.toString() : this.querySelector("textarea")?.value ?? "";
  }

  set value(text) {
    const area = this.querySelector("textarea");
    if (this.view) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    else if (area) area.value = text;
  }

  /** What is selected, or all where nothing is. */
  get chosen() {
    if (!this.view) return this.value;
    const { from, to } = this.view.state.selection.main;
    return from === to ? this.value : this.view.state.sliceDoc(from, to);
  }

  /** Put a text in place of what is selected. @param {string} text */
  insert(text) {
    if (!this.view) {
      const area = this.querySelector("textarea");
      if (area) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      return;
    }
    this.view.dispatch(this.view.state.replaceSelection(text), { scrollIntoView: true });
    this.view.focus();
  }

  /** Mark places, whose lines and columns count from 1. @param {{line: number, column: number, message: string}[]} places */
  mark(places) {
    this.marks = places;
    if (!this.view) return;
    const found = places.map((one) => ({ ...this.range(one), title: one.message }));
    this.view.dispatch({ effects: this.marking.of(found) });
  }

  /** Go to a place. @param {{line: number, column: number}} place */
  goto(place) {
    if (!this.view) return;
    this.view.dispatch({ selection: { anchor: this.range(place).from }, scrollIntoView: true });
    this.view.focus();
  }

  /** Another source: its dialect and the address of its catalogue. @param {string} dialect @param {string} catalog */
  turn(dialect, catalog) {
    this.setAttribute("dialect", dialect);
    this.setAttribute("catalog", catalog);
    this.tables = undefined;
    if (this.view) this.complete();
  }

  /** @param {{line: number, column: number}} place */
  range({ line, column }) {
    const { doc } = this.view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    const from = Math.min(at.from + Math.max(column - 1, 0), at.to);
    const word = /^(?:\w+|\S)/.exec(doc.sliceString(from, at.to))?.[0].length ?? 0;
    return { from: word ? from : Math.max(at.from, from - 1), to: from + word };
  }

  /** Learn what there is to select from; what cannot be learnt now is asked again later. */
  async complete() {
    const { cm, view } = this;
    const address = this.getAttribute("catalog");
    if (!this.tables && address) {
      const answer = await fetch(address, { headers: { accept: "application/json" } }).catch(() => null);
      if (answer?.ok && address === this.getAttribute("catalog")) this.tables = (await answer.json()).tables;
    }
    view.dispatch({ effects: this.schema.reconfigure(this.language(cm)) });
  }

  language(cm) {
    const { dialect, words, home } = wordsOf(cm, this.getAttribute("dialect") ?? "");
    const tables = this.tables ?? [];
    const sources = [wordsAlone(words), cm.schemaCompletionSource({ dialect, schema: schemaOf(tables), defaultSchema: home })];
    const complete = sources.map((source) => dialect.language.data.of({ autocomplete: source }));
    return [dialect.language, ...complete, dialect.language.data.of({ autocomplete: columnsOf(tables) })];
  }

  extensions() {
    const { cm } = this;
    const run = () => this.dispatchEvent(new CustomEvent("sql-run", { bubbles: true, detail: { sql: this.chosen } }));
    const ask = (/** @type {any} */ view) => (this.tables || this.complete(), cm.startCompletion(view));
    const { tags: t } = cm;
    this.marking = cm.StateEffect.define();
    return [
      cm.keymap.of([
        { key: "Mod-Enter", run: () => (run(), true) },
        { key: "Ctrl-Space", run: ask },
        ...cm.closeBracketsKeymap, ...cm.completionKeymap, ...cm.historyKeymap, ...cm.defaultKeymap,
      ]),
      cm.lineNumbers(), cm.history(), cm.drawSelection(), cm.highlightActiveLine(), cm.bracketMatching(),
      cm.closeBrackets(), cm.autocompletion({ icons: false }),
      this.schema.of(this.language(cm)),
      marked(cm, this.marking),
      typedOver(cm),
      cm.EditorView.updateListener.of((/** @type {any} */ update) => update.docChanged && this.keep()),
      cm.EditorView.contentAttributes.of({
        "aria-label": this.getAttribute("label") ?? "SQL", spellcheck: "false", autocapitalize: "off", tabindex: "0",
      }),
      cm.EditorView.theme(THEME),
      cm.syntaxHighlighting(cm.HighlightStyle.define([
        { tag: [t.keyword, t.operatorKeyword], class: "word" },
        { tag: [t.string, t.special(t.string)], class: "text" },
        { tag: [t.number, t.bool, t.null], class: "value" },
        { tag: [t.comment, t.lineComment, t.blockComment], class: "said" },
      ])),
    ];
  }

  keep() {
    if (!this.area) return;
    this.area.value = this.value;
    this.area.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** Words of SQL, but not after a point. @param {any[]} options */
const wordsAlone = (options) => (/** @type {any} */ context) => {
  const word = context.matchBefore(/\w+/);
  if ((!word && !context.explicit) || context.matchBefore(/\.\w*/)) return null;
  return { from: word ? word.from : context.pos, options, validFor: /^\w*$/ };
};

/**
 * A text typed over what is selected: the browser would keep the style of what was there, inline,
 * which the policy of our pages refuses.
 * @param {any} cm
 */
const typedOver = (cm) =>
  cm.EditorView.domEventHandlers({
    beforeinput: (/** @type {InputEvent} */ event, /** @type {any} */ view) => {
      const { from, to, empty } = view.state.selection.main;
      if (event.inputType !== "insertText" || empty || !event.data || view.composing) return false;
      const text = event.data;
      const typed = () =>
        view.state.update({ changes: { from, to, insert: text }, selection: { anchor: from + text.length }, userEvent: "input.type" });
      const handlers = view.state.facet(cm.EditorView.inputHandler);
      if (!handlers.some((/** @type {any} */ one) => one(view, from, to, text, typed))) view.dispatch(typed());
      return true;
    },
  });

/** Columns of the tables that the text names. @param {any[]} tables */
const columnsOf = (tables) => (/** @type {any} */ context) => {
  const word = context.matchBefore(/\w+/);
  if ((!word && !context.explicit) || context.matchBefore(/\.\w*/)) return null;
  const named = new Set(context.state.doc.toString().toLowerCase().match(/\w+/g));
  const options = tables
    .filter((table) => named.has(table.name.toLowerCase()))
    .flatMap((table) => table.columns.map((/** @type {any} */ one) => ({ label: one.name, detail: one.type_name.toLowerCase(), boost: 2 })));
  return { from: word ? word.from : context.pos, options, validFor: /^\w*$/ };
};

/** Underlined places, which go with the next change of their text. @param {any} cm @param {any} marking */
const marked = (cm, marking) =>
  cm.StateField.define({
    create: () => cm.Decoration.none,
    update: (/** @type {any} */ marks, /** @type {any} */ change) => {
      for (const effect of change.effects) {
        if (effect.is(marking)) {
          const found = effect.value.filter((/** @type {any} */ one) => one.to > one.from);
          return cm.Decoration.set(
            found.map((/** @type {any} */ one) => cm.Decoration.mark({ class: "wrong", attributes: { title: one.title } }).range(one.from, one.to)),
            true,
          );
        }
      }
      return change.docChanged ? marks.map(change.changes) : marks;
    },
    provide: (/** @type {any} */ field) => cm.EditorView.decorations.from(field),
  });

const THEME = {
  "&": { color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "13px", padding: "2px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "21px", fontFeatureSettings: '"zero"' },
  ".cm-content": { padding: "10px 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 16px 0 6px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-3)", border: "0", paddingLeft: "8px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent-soft) 55%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 24%, transparent)",
  },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".word": { color: "var(--accent)", fontWeight: "600" },
  ".text": { color: "var(--warn)" },
  ".value": { color: "var(--info)" },
  ".said": { color: "var(--ink-3)", fontStyle: "italic" },
  ".wrong": { textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "4px", backgroundColor: "var(--bad-soft)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "6px", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "12.5px", maxHeight: "230px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "4px 12px", lineHeight: "18px", color: "var(--ink)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { marginLeft: "1.5em", fontStyle: "normal", opacity: "0.75" },
};

customElements.define("sql-editor", SqlEditor);
