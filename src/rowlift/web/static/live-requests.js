// @ts-check
/** Listens to the stream of a destination's requests, and has the list loaded again for each. */
class LiveRequests extends HTMLElement {
  connectedCallback() {
    const from = this.getAttribute("events");
    if (!from) return;
    this.source = new EventSource(`${from}?after=${this.getAttribute("after") ?? 0}`);
    this.source.addEventListener("open", () => {
      const said = this.querySelector("[data-live]");
      if (said instanceof HTMLElement && said.dataset.live) said.textContent = said.dataset.live;
    });
    this.source.addEventListener("request", () => this.dispatchEvent(new Event("arrived")));
  }

  disconnectedCallback() {
    this.source?.close();
  }
}

customElements.define("live-requests", LiveRequests);
