// @ts-check
/** Keeps a draft while one writes it: saves after each change and shows what the server says of it. */
const WAIT = 400;

class DraftForm extends HTMLElement {
  connectedCallback() {
    const form = this.querySelector("form");
    if (!form) return;
    this.form = form;
    this.told = this.querySelector("[data-state]");
    document.getElementById("summary")?.focus();
    form.addEventListener("input", () => { this.changed = true; });
    form.addEventListener("change", () => this.soon());
    form.addEventListener("submit", () => { this.leaving = true; this.say("Working …"); });
    this.addEventListener("sql-run", () => this.press("look:query"));
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    addEventListener("beforeunload", (event) => { if (this.changed && !this.leaving) event.preventDefault(); });
  }

  soon() {
    this.changed = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), WAIT);
  }

  /** @param {string} value */
  press(value) {
    const button = this.form?.querySelector(`button[value="${value}"]`);
    if (button instanceof HTMLButtonElement) this.form?.requestSubmit(button);
  }

  /** @param {string} text @param {boolean} [bad] */
  say(text, bad = false) {
    if (!this.told) return;
    this.told.textContent = text;
    this.told.classList.toggle("bad", bad);
  }

  async save() {
    if (!this.form || this.leaving) return;
    if (this.saving) { this.again = true; return; }
    this.saving = true;
    this.changed = false;
    this.say("Keeping …");
    try {
      const fields = new URLSearchParams();
      for (const [name, value] of new FormData(this.form)) fields.append(name, String(value));
      const answer = await fetch(this.form.action, { method: "POST", body: fields, headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (page.querySelector("draft-form")) this.show(page);
      const wrong = page.querySelector("#summary .title")?.textContent;
      if (answer.ok) this.say("Draft kept just now");
      else this.say(wrong ?? "It was not kept: load the page again.", true);
    } catch {
      this.changed = true;
      this.say("Not kept yet: the server does not answer. The next change tries again.", true);
    }
    this.saving = false;
    if (this.again) { this.again = false; this.soon(); }
  }

  /** Take over what the server says, but nothing that one is about to change. @param {Document} page */
  show(page) {
    for (const old of this.querySelectorAll("[data-live]")) {
      const next = page.getElementById(old.id);
      const busy = old.id !== "version" && (old.contains(document.activeElement) || (this.changed && old.querySelector("input, select")));
      if (next && !busy && old.innerHTML !== next.innerHTML) old.innerHTML = next.innerHTML;
    }
  }
}

customElements.define("draft-form", DraftForm);
