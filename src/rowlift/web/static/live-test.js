// @ts-check
/**
 * A form that tests a connection: each step shows as soon as it is found, in what `into` names, and
 * how far it is in what has data-far.
 * Its answer is a line of JSON for each step, at the end where to go or the page; an answer that
 * is a page already says what is wrong with the form. Without this file all comes at once.
 *
 * <live-test into="outcome"><form>…</form><template>what shows meanwhile, with an ol</template></live-test>
 */
import { linesOf } from "./lines.js";

class LiveTest extends HTMLElement {
  connectedCallback() {
    this.addEventListener("submit", (event) => this.begin(/** @type {SubmitEvent} */ (event)));
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  /** @param {SubmitEvent} event */
  async begin(event) {
    const form = event.target, place = document.getElementById(this.getAttribute("into") ?? "");
    const meanwhile = this.querySelector("template");
    if (!(form instanceof HTMLFormElement) || !place || !meanwhile) return;
    event.preventDefault();
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form, event.submitter)) fields.append(name, String(value));
    const before = [...place.childNodes];
    place.replaceChildren(meanwhile.content.cloneNode(true));
    this.hold(form, true);
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "application/x-ndjson, text/html" } });
      if (answer.redirected) location.assign(answer.url);
      else if (answer.headers.get("content-type")?.startsWith("text/html")) this.show(await answer.text(), form, place);
      else await this.follow(answer, form, place);
    } catch {
      place.replaceChildren(...before);
      this.say(place, "The server does not answer. What was filled in still stands here: try again.");
    }
    this.hold(form, false);
  }

  /** @param {Response} answer @param {HTMLFormElement} form @param {HTMLElement} place */
  async follow(answer, form, place) {
    for await (const told of linesOf(answer)) {
      if (told.step) place.querySelector("ol")?.insertAdjacentHTML("beforeend", told.step);
      if (told.far) place.querySelector("[data-far]")?.replaceChildren(told.far);
      if (told.page) return this.show(told.page, form, place);
      if (told.to) return location.assign(told.to);
    }
    throw new Error("It ended before its end.");
  }

  /** Take over what was found; where the form is wrong, all of it. @param {string} html @param {HTMLFormElement} form @param {HTMLElement} place */
  show(html, form, place) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const found = page.getElementById(place.id);
    if (!found) throw new Error("It answered with something else.");
    const is_wrong = found.querySelector("[role=alert]");
    const next = page.querySelector("live-test form");
    if (is_wrong && next && form.contains(place)) form.replaceWith(next);
    else place.replaceWith(found);
    const focus = document.getElementById(place.id)?.querySelector("[autofocus]");
    if (focus instanceof HTMLElement) focus.focus();
  }

  /** @param {HTMLElement} place @param {string} text */
  say(place, text) {
    const said = document.createElement("p");
    said.className = "error";
    said.setAttribute("role", "alert");
    said.textContent = text;
    place.append(said);
  }

  /** @param {HTMLFormElement} form @param {boolean} busy */
  hold(form, busy) {
    for (const button of form.querySelectorAll("button")) button.disabled = busy;
  }
}

customElements.define("live-test", LiveTest);
