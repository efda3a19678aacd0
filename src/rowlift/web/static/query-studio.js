// @ts-check
/** The studio: previews without leaving the page, can be cancelled, and a tree that inserts names. */
import { linesOf } from "./lines.js";
import { quoted } from "./sql-words.js";

const PAUSE = 250; // milliseconds of rest before a search is asked, or the text is kept
const LONGEST = 16_000; // characters of an address

class QueryStudio extends HTMLElement {
  connectedCallback() {
    this.form = /** @type {HTMLFormElement} */ (this.querySelector("form#query"));
    this.editor = /** @type {any} */ (this.querySelector("sql-editor"));
    this.status = /** @type {HTMLElement} */ (this.querySelector("[data-status]"));
    this.stop = /** @type {HTMLButtonElement} */ (this.querySelector("[data-cancel]"));
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.preview(this.editor.value)));
    this.addEventListener("sql-run", (event) => this.preview(/** @type {CustomEvent} */ (event).detail.sql));
    this.stop.addEventListener("click", () => this.asked?.abort());
    this.run = /** @type {HTMLButtonElement} */ (this.querySelector("[data-run]"));
    this.source.addEventListener("change", () => this.turn());
    this.addEventListener("click", (event) => this.press(event));
    this.addEventListener("input", (event) => this.search(event));
    this.addEventListener("submit", (event) => {
      if (/** @type {Element} */ (event.target).matches("#tables form")) event.preventDefault();
    });
    this.form.addEventListener("input", () => this.keep());
    customElements.whenDefined("sql-editor").then(() => this.point());
    this.load(this.panel.dataset.from);
  }

  get source() {
    return /** @type {HTMLSelectElement} */ (this.form.elements.namedItem("source"));
  }

  get panel() {
    return /** @type {HTMLElement} */ (this.querySelector("#tables"));
  }

  /** Show the first rows as soon as they are there, then what the whole result is. @param {string} sql */
  async preview(sql) {
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const began = Date.now();
    const tick = () => (this.status.textContent = `Asking ${this.source.value} … ${Math.round((Date.now() - began) / 1000)} s`);
    const clock = setInterval(tick, 1000);
    this.busy(true);
    tick();
    try {
      const fields = new FormData(this.form);
      fields.set("sql", sql);
      const shown = await this.look(Object.fromEntries(fields), asked);
      this.status.textContent = shown?.querySelector(".message.bad, .verdicts .bad") ? "It has to be mended first." : "";
    } catch (error) {
      if (this.asked !== asked) return;
      this.status.textContent = asked.signal.aborted ? "Cancelled: the query was stopped." : "The server did not answer.";
      this.querySelector("#result [data-counting]")?.remove();
    } finally {
      clearInterval(clock);
      if (this.asked === asked) this.busy(false);
    }
  }

  /** Ask once, and show each part of the answer. @param {Record<string, any>} fields @param {AbortController} asked */
  async look(fields, asked) {
    const how = { method: "POST", body: new URLSearchParams(fields), signal: asked.signal };
    const answer = await fetch("/queries/new", { ...how, headers: { accept: "application/x-ndjson, text/html" } });
    if (answer.headers.get("content-type")?.startsWith("text/html")) return this.show(await answer.text());
    for await (const told of linesOf(answer)) {
      if (told.step) this.show(told.step, true);
      if (told.page) return this.show(told.page);
    }
    throw new Error("It ended before its end.");
  }

  /** Show what a page or a part of it says, in the place of what was there. @param {string} html */
  show(html, more = false) {
    const page = parsed(html);
    const result = page.querySelector("#result") ?? refusal(page);
    result.setAttribute("aria-busy", String(more));
    this.querySelector("#result")?.replaceWith(result);
    this.point();
    return result;
  }

  /** @param {boolean} is */
  busy(is) {
    const had = is ? this.run : this.stop;
    const next = is ? this.stop : this.run;
    const moves = document.activeElement === had;
    this.stop.hidden = !is;
    this.toggleAttribute("data-busy", is);
    if (moves) next.focus();
    this.querySelector("#result")?.setAttribute("aria-busy", String(is));
  }

  /** Keep what stands here in the address: it survives reload and back, and can be sent. */
  keep() {
    clearTimeout(this.kept);
    this.kept = setTimeout(() => {
      const told = new FormData(this.form);
      told.delete("csrf");
      const address = `/queries/new?${new URLSearchParams(/** @type {any} */ (told))}`;
      if (address.length <= LONGEST) history.replaceState(null, "", address);
    }, PAUSE);
  }

  /** Mark in the text what has a place in it. */
  point() {
    const places = [...this.querySelectorAll("#result [data-line]")].map((one) => ({
      line: Number(one.getAttribute("data-line")),
      column: Number(one.getAttribute("data-column")),
      message: one.querySelector(".title")?.textContent ?? "",
    }));
    this.editor.mark(places);
  }

  /** @param {Event} event */
  press(event) {
    const at = /** @type {Element} */ (event.target);
    const name = at.closest("[data-insert]");
    const place = at.closest("[data-line] .excerpt")?.closest("[data-line]");
    if (name) {
      event.preventDefault();
      const dialect = this.editor.getAttribute("dialect");
      const parts = [name.getAttribute("data-schema"), name.getAttribute("data-insert")];
      this.editor.insert(parts.filter(Boolean).map((one) => quoted(dialect, one)).join("."));
    } else if (place) {
      this.editor.goto({ line: Number(place.getAttribute("data-line")), column: Number(place.getAttribute("data-column")) });
    }
  }

  /** Another source: its tables, its dialect, its templates. */
  turn() {
    const name = this.source.value;
    const dialect = this.source.selectedOptions[0].dataset.dialect ?? "";
    this.editor.turn(dialect, `/api/v1/sources/${encodeURIComponent(name)}/catalog`);
    this.load(`/queries/new/tables?source=${encodeURIComponent(name)}`);
  }

  /** Which templates fit is known once the tables are. */
  async begin() {
    const page = await pageOf(`/queries/new?source=${encodeURIComponent(this.source.value)}`).catch(() => null);
    const templates = page?.querySelector(".templates");
    const before = this.querySelector(".templates");
    if (before?.querySelector("details[open]")) templates?.querySelector("details")?.setAttribute("open", "");
    if (templates) before?.replaceWith(templates);
  }

  /** @param {Event} event */
  search(event) {
    const form = /** @type {Element} */ (event.target).closest("#tables form");
    if (!(form instanceof HTMLFormElement)) return;
    clearTimeout(this.rest);
    this.rest = setTimeout(async () => {
      const told = new URLSearchParams(/** @type {any} */ (new FormData(form)));
      const page = await pageOf(`${form.action}?${told}`);
      const tree = page.querySelector(".tree");
      if (tree) this.panel.querySelector(".tree")?.replaceWith(insertable(tree));
    }, PAUSE);
  }

  /** @param {string | undefined} from */
  async load(from) {
    if (!from) return;
    this.panel.setAttribute("aria-busy", "true");
    const page = await pageOf(from).catch(() => null);
    const found = page?.querySelector("#tables") ?? (page && refusal(page));
    if (found) this.panel.replaceChildren(...insertable(found).childNodes);
    this.panel.removeAttribute("aria-busy");
    await this.begin();
  }
}

/** @param {string} address */
async function pageOf(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  return parsed(await answer.text());
}

/** @param {string} html */
function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** What a page says that is none of ours: too many at once, signed out. @param {Document} page */
function refusal(page) {
  const result = document.createElement("div");
  result.id = "result";
  result.className = "message bad";
  result.setAttribute("role", "alert");
  result.textContent = [...page.querySelectorAll("main h1, main .lead")].map((one) => one.textContent).join(": ");
  return result;
}

/** Names as buttons. @param {Element} part */
function insertable(part) {
  for (const name of part.querySelectorAll("span[data-insert]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "insert";
    button.title = `Insert ${name.textContent}`;
    for (const { name: key, value } of name.attributes) if (key !== "class") button.setAttribute(key, value);
    button.textContent = name.textContent;
    if (name.closest("summary")) {
      name.removeAttribute("data-insert");
      name.closest("details")?.querySelector("li:last-child")?.prepend(insertOf(button));
    } else name.replaceWith(button);
  }
  return part;
}

/** A button in a summary could not be reached by keys alone. @param {HTMLButtonElement} button */
function insertOf(button) {
  button.textContent = "Insert name";
  return button;
}

customElements.define("query-studio", QueryStudio);
