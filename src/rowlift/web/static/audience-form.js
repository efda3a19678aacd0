// @ts-check
/** Rows of conditions while one edits: tests and values that suit an attribute, and keys that move a row. */
const AGAIN = 1000;

class AudienceForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("input", (event) => this.suit(/** @type {Element} */ (event.target)));
    this.addEventListener("keydown", (event) => this.move(event));
    this.addEventListener("htmx:before:request", (event) => {
      if (this.closest("[data-out]")) event.preventDefault();
    });
    this.addEventListener("htmx:after:swap", () => this.mark());
    // Others of the same reader are asked for still: look again a little later.
    this.addEventListener("htmx:after:request", (event) => {
      const { response, sourceElement } = /** @type {CustomEvent} */ (event).detail?.ctx ?? {};
      const form = this.querySelector("form");
      const { redirected, status } = response?.raw ?? response ?? {};
      if (redirected || status === 401 || status === 403) event.preventDefault(); // one is signed out: the draft says so
      else if (status === 429) this.wait(form);
      else if (sourceElement instanceof HTMLButtonElement) form?.dispatchEvent(new Event("draft-changed")); // rows come anew
    });
  }

  /** Say that it is still being counted, and ask again. @param {HTMLFormElement | null} form */
  wait(form) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => form?.dispatchEvent(new Event("again")), AGAIN);
    this.querySelector("#counting")?.removeAttribute("hidden");
  }

  /** Offer the tests and values of the attribute that was named. @param {Element} field */
  suit(field) {
    const pieces = field.closest("[data-attribute]");
    if (!(field instanceof HTMLInputElement) || !pieces || pieces.querySelector("input") !== field) return;
    const found = [...(field.list?.options ?? [])].find((one) => one.value === field.value);
    const tests = found?.dataset.tests?.split(" ");
    for (const option of pieces.querySelectorAll("option")) option.hidden = Boolean(tests) && !option.selected && !tests?.includes(option.value);
    for (const value of pieces.querySelectorAll(".value")) value.setAttribute("list", found?.dataset.list ?? "");
  }

  /** Mark the fields that are wrong now, each with what is wrong about it; those that were mended no more. */
  mark() {
    const wrong = new Map([...this.querySelectorAll("#seen [data-at]")].map((one) => [one.getAttribute("data-at"), one.textContent]));
    for (const field of this.querySelectorAll("form [aria-invalid]")) {
      if (wrong.has(field.id) || field.id === "name") continue;
      document.getElementById(`${field.id}-wrong`)?.remove();
      for (const name of ["aria-invalid", "aria-describedby"]) field.removeAttribute(name);
    }
    for (const [id, text] of wrong) {
      const field = document.getElementById(id ?? "");
      if (!field) continue;
      const told = document.getElementById(`${id}-wrong`) ?? Object.assign(document.createElement("span"), { className: "wrong", id: `${id}-wrong` });
      if (!told.isConnected) field.after(told);
      if (told.textContent !== text) told.textContent = text;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", told.id);
    }
  }

  /** @param {KeyboardEvent} event */
  move(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const row = /** @type {Element} */ (event.target).closest("[data-row]");
    const button = row?.querySelector(`:scope > .moves [value^="${event.key === "ArrowUp" ? "up" : "down"} "]`);
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault();
    button.click();
  }
}

customElements.define("audience-form", AudienceForm);
