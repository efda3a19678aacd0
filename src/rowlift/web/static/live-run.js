// @ts-check
/**
 * Has its content loaded again whenever the server pushes that the run has changed. Without a
 * stream (a proxy may hold it back) the slow trigger of the same element goes on asking.
 */
class LiveRun extends HTMLElement {
  static observedAttributes = ["events"];

  disconnectedCallback() {
    this.stream?.close();
  }

  attributeChangedCallback() {
    this.stream?.close();
    const events = this.getAttribute("events");
    if (!events) return;
    this.stream = new EventSource(events);
    this.stream.addEventListener("run", () => this.dispatchEvent(new Event("pushed")));
  }
}

customElements.define("live-run", LiveRun);
