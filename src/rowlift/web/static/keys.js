// @ts-check
/** Keys of every page: g and a letter to go somewhere, / to search, ? for the list of them. */
const PLACES = { o: "/", s: "/syncs", r: "/runs", q: "/queries/new", p: "/people" };

class KeyHelp extends HTMLElement {
  connectedCallback() {
    this.typed = "";
    this.listen = (/** @type {KeyboardEvent} */ event) => this.press(event);
    document.addEventListener("keydown", this.listen);
  }

  disconnectedCallback() {
    if (this.listen) document.removeEventListener("keydown", this.listen);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const at = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || at.matches("input, select, textarea, sql-editor")) return;
    const place = this.typed === "g" ? PLACES[event.key] : undefined;
    this.typed = event.key;
    if (place && document.querySelector(`nav a[href="${place}"]`)) {
      location.assign(place);
    } else if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search instanceof HTMLInputElement) {
        event.preventDefault();
        search.focus();
      } else if (document.querySelector(`nav a[href="/people"]`)) {
        location.assign("/find");
      }
    } else if (event.key === "?") {
      this.querySelector("dialog")?.showModal();
    }
  }
}

customElements.define("key-help", KeyHelp);
