// Refreshes the page: fetches it again and replaces what changed. Without this script the page is complete.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const seconds = Number(main.dataset.refresh);
  if (!(seconds > 0)) return;
  const busy = () => {
    const active = document.activeElement;
    return document.hidden || (active && active.matches("input")) || String(getSelection()).length > 0;
  };
  // The place of the focused element among all elements that can have it with the same address and text.
  const keyOf = (element) => element && element !== document.body
    ? [element.tagName, element.id, element.getAttribute("href"), element.textContent.slice(0, 80)].join("|") : "";
  const restoreFocus = (key) => {
    if (!key || key === keyOf(document.activeElement)) return;
    for (const one of main.querySelectorAll("a, button, input, summary, [tabindex]")) {
      if (keyOf(one) === key) { one.focus({ preventScroll: true }); return; }
    }
  };
  const show = (page) => {
    const fresh = page.getElementById("main");
    if (!fresh) return;
    for (const details of main.querySelectorAll("details[id][open]")) {
      const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (same) same.open = true;
    }
    const focus = keyOf(document.activeElement);
    const top = scrollY;
    document.title = page.title;
    for (const selector of ["head link[rel=icon]", "header.top"]) {
      const before = document.querySelector(selector), after = page.querySelector(selector);
      if (before && after && before.outerHTML !== after.outerHTML) before.replaceWith(document.importNode(after, true));
    }
    main.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    if (scrollY !== top) scrollTo({ top, behavior: "instant" });
    restoreFocus(focus);
  };
  const count = (name) => { main.dataset[name] = String(Number(main.dataset[name] || 0) + 1); };
  const refresh = async () => {
    if (busy()) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache" });
      if (!answer.ok) return;
      const text = await answer.text();
      if (!busy()) show(new DOMParser().parseFromString(text, "text/html"));
      count("refreshed");
    } catch (error) {
      count("missed"); // The server is away: the page stays as it is, and says when it was evaluated.
    }
  };
  setInterval(refresh, seconds * 1000);
  document.addEventListener("visibilitychange", refresh);
})();
