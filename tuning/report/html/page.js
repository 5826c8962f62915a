"use strict";
// Draws each figure when it comes near the window, in the colours of the page, and again when these
// change. On paper all figures are there.
(function () {
  const config = {
    displaylogo: false,
    responsive: true,
    // Where nothing can hover the bar would always cover the figure.
    displayModeBar: window.matchMedia("(hover: hover)").matches ? undefined : false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  };
  const PALE = "#d0d9e3";
  const waiting = new Map();
  const drawn = new Map();

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function themed(layout, width) {
    const text = colour("--text"), line = colour("--line"), paper = "rgba(0,0,0,0)";
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line };
    const copy = Object.assign({}, layout, {
      autosize: true,
      width: undefined,
      paper_bgcolor: paper,
      plot_bgcolor: paper,
      font: Object.assign({ size: width < 500 ? 11 : 12 }, layout.font, { color: text }),
      colorway: ["#158a6e", "#a05195", "#8a8f98", "#c0392b"],
      modebar: { bgcolor: paper, color: colour("--faint"), activecolor: text },
      hoverlabel: { bgcolor: colour("--raised"), bordercolor: line, font: { color: text } },
      xaxis: layout.xaxis || {},
      yaxis: layout.yaxis || {},
    });
    for (const key of Object.keys(copy)) {
      if (/^[xy]axis\d*$/.test(key)) copy[key] = Object.assign({}, axis, copy[key]);
    }
    // Lines run behind them.
    copy.annotations = (layout.annotations || []).map((one) =>
      Object.assign({ bgcolor: colour("--paper"), borderpad: 1 }, one),
    );
    if (width < 500) copy.margin = Object.assign({}, layout.margin, { l: 45, r: 10 });
    return copy;
  }

  // The shade of fields with little or nothing in them is near that of the page.
  function shaded(trace) {
    if (!trace.colorscale) return trace;
    const scale = trace.colorscale.map(([at, one]) => [at, one === PALE ? colour("--pale") : one]);
    return Object.assign({}, trace, { colorscale: scale });
  }

  function draw(element) {
    const figure = waiting.get(element) || drawn.get(element);
    const layout = themed(figure.layout, element.clientWidth);
    Plotly.react(element, figure.data.map(shaded), layout, config);
    waiting.delete(element);
    drawn.set(element, figure);
  }

  for (const script of document.querySelectorAll("script[data-figure]")) {
    const element = document.getElementById(script.dataset.figure);
    waiting.set(element, JSON.parse(script.textContent));
  }
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting && waiting.has(entry.target)) {
          observer.unobserve(entry.target);
          draw(entry.target);
        }
      }
    },
    { rootMargin: "600px" },
  );
  for (const element of waiting.keys()) observer.observe(element);

  window.addEventListener("beforeprint", () => Array.from(waiting.keys()).forEach(draw));
  window
    .matchMedia("(prefers-color-scheme: dark)")
    .addEventListener("change", () => Array.from(drawn.keys()).forEach(draw));
})();
