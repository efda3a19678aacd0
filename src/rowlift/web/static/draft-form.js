// @ts-check
/** Keeps a draft while one writes it: saves after each change and shows what the server says of it. */
const WAIT = 400;
const SENT = "draft-sent";
const LOOKS = [0, 200, 800, 2000]; // milliseconds between them, while what was sent may be under way

/** Tell whether somebody changed a field since the page came. @param {Element} field */
function touched(field) {
  if (field instanceof HTMLSelectElement) {
    const options = [...field.options];
    return field.selectedIndex !== Math.max(options.findIndex((one) => one.defaultSelected), 0) && options.length > 0;
  }
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return false;
  const is_ticked = field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio");
  return is_ticked ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
}

class DraftForm extends HTMLElement {
  connectedCallback() {
    const form = this.querySelector("form");
    if (!form) return;
    this.form = form;
    this.told = this.querySelector("[data-state]");
    document.getElementById("summary")?.focus();
    form.addEventListener("input", (event) => {
      this.changed = true;
      if (/** @type {Element} */ (event.target).closest("sql-editor")) this.soon(); // it tells of no end
    });
    for (const name of ["change", "draft-changed"]) form.addEventListener(name, () => this.soon());
    form.addEventListener("submit", (event) => this.leave(event));
    if ([...form.elements].some(touched)) this.soon(); // before this script was here
    this.addEventListener("sql-run", () => this.press("look:query"));
    this.addEventListener("click", (event) => this.follow(event));
    this.point();
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    addEventListener("pagehide", () => {
      if (!this.changed || this.leaving) return;
      navigator.sendBeacon(this.dataset.left ?? this.dataset.to ?? form.action, this.fields());
      sessionStorage.setItem(SENT, this.path);
    });
    this.catchUp();
  }

  /** What was sent as the page went may be kept after the page was asked for anew: then load it again. */
  async catchUp() {
    const path = sessionStorage.getItem(SENT);
    sessionStorage.removeItem(SENT);
    for (const wait of path === this.path ? LOOKS : []) {
      await new Promise((go) => setTimeout(go, wait));
      const answer = await fetch(path ?? "", { headers: { accept: "application/json" } });
      const version = this.querySelector("#version input");
      if (!answer.ok || this.changed || !(version instanceof HTMLInputElement)) return;
      if ((await answer.json()).draft?.version === Number(version.value)) continue;
      location.reload();
      return;
    }
  }

  /** Where one goes on with the draft. */
  get path() {
    return location.pathname + location.search;
  }

  /** A button was pressed: what is being kept is kept first, so that the form knows its version. @param {SubmitEvent} event */
  leave(event) {
    clearTimeout(this.timer);
    this.leaving = true;
    this.say("Working …");
    if (!this.saving) return;
    event.preventDefault();
    this.saving.then(() => this.form?.requestSubmit(event.submitter));
  }

  fields() {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) fields.append(name, String(value));
    fields.append("written_at", String(Date.now()));
    return fields;
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

  save() {
    if (!this.form || this.leaving) return;
    if (this.saving) { this.again = true; return; }
    this.changed = false;
    this.say("Keeping …");
    this.saving = this.keep().finally(() => {
      this.saving = undefined;
      if (this.again) { this.again = false; this.soon(); }
    });
  }

  async keep() {
    try {
      if (this.hasAttribute("data-out")) await this.renew();
      const answer = await fetch(this.dataset.to ?? this.form?.action ?? "", { method: "POST", body: this.fields(), headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const told = page.querySelector("draft-form");
      if (told) this.show(page);
      if (told instanceof HTMLElement && told.dataset.address) history.replaceState(history.state, "", told.dataset.address);
      if (this.leaving) return;
      const wrong = page.querySelector("#summary .title, main > .message.bad .title")?.textContent;
      if (answer.ok && told) this.say("Draft kept just now");
      else if (answer.ok || answer.status === 403) this.out();
      else this.say(wrong ?? "It was not kept: load the page again.", true);
    } catch {
      this.changed = true;
      this.say("Not kept yet: the server does not answer. The next change tries again.", true);
    }
  }

  /** Another page came than that of the draft. */
  out() {
    this.changed = true;
    this.toggleAttribute("data-out", true);
    this.say("Not kept: you are signed out. Sign in in another window; the next change here is kept, with all before it.", true);
  }

  /** Take over the token that forms need since one signed in anew. */
  async renew() {
    const answer = await fetch(this.path, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const token = page.querySelector("draft-form [name=csrf]");
    const field = this.form?.querySelector("[name=csrf]");
    if (!(token instanceof HTMLInputElement) || !(field instanceof HTMLInputElement)) return;
    field.value = token.value;
    this.toggleAttribute("data-out", false);
    this.form?.dispatchEvent(new Event("again"));
  }

  /** The editor of the query, if there is one. @returns {any} */
  get editor() {
    return this.querySelector("sql-editor");
  }

  /** Mark in the text of the query what has a place in it. */
  point() {
    const places = [...this.querySelectorAll("#query [data-line]")].map((one) => ({
      line: Number(one.getAttribute("data-line")),
      column: Number(one.getAttribute("data-column")),
      message: one.querySelector(".title")?.textContent ?? "",
    }));
    this.editor?.mark?.(places);
  }

  /** Go to the place of what is said. @param {Event} event */
  follow(event) {
    const place = /** @type {Element} */ (event.target).closest("#query [data-line] .excerpt")?.closest("[data-line]");
    if (place) this.editor?.goto?.({ line: Number(place.getAttribute("data-line")), column: Number(place.getAttribute("data-column")) });
  }

  /** Take over what the server says, but nothing that one is about to change. @param {Document} page */
  show(page) {
    for (const old of this.querySelectorAll("[data-live]")) {
      const next = page.getElementById(old.id);
      const busy = old.id !== "version" && (old.contains(document.activeElement) || (this.changed && old.querySelector("input, select")));
      if (next && !busy && old.innerHTML !== next.innerHTML) old.innerHTML = next.innerHTML;
    }
    if (!this.changed) this.point();
  }
}

customElements.define("draft-form", DraftForm);
