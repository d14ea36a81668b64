// Draws each figure with data-chart: stacked columns over time, with axes that have units. A tooltip shows the values of
// the step under the mouse or the finger, or the one chosen with the arrow keys; screen readers hear it.
const HEIGHT = 192;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY = 86400;
const drawn = new Map(); // figure → redraw

function shortNumber(value) {
  for (const [power, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= power) return `${Number((value / power).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}

const UNITS = {
  usd: (value) => (value === 0 ? "$0" : value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`),
  tokens: shortNumber,
  requests: shortNumber,
};

function timeText(seconds, withTime) {
  const time = new Date(1000 * seconds);
  const day = `${time.getUTCDate()} ${MONTHS[time.getUTCMonth()]}`;
  return withTime ? `${day} ${String(time.getUTCHours()).padStart(2, "0")}:00` : day;
}

// Under an axis, a new day says its date, and the other steps their hours.
function axisText(seconds, step) {
  const time = new Date(1000 * seconds);
  if (step >= DAY || time.getUTCHours() === 0) return timeText(seconds, false);
  return `${String(time.getUTCHours()).padStart(2, "0")}:00`;
}

function element(parent, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

// The sums from the bottom up to each series: the tallest one is drawn first, and the others over it.
function stack(series) {
  const sums = [];
  for (const { values } of series) {
    const below = sums.at(-1) ?? values.map(() => 0);
    sums.push(values.map((value, index) => value + below[index]));
  }
  return sums;
}

function draw(figure) {
  const chart = JSON.parse(figure.dataset.chart);
  const box = figure.querySelector(".plot");
  box.replaceChildren();
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const format = UNITS[chart.unit];
  const sums = stack(chart.series);
  const top = Math.max(...sums.at(-1), 0);
  box.classList.toggle("empty", top === 0);
  if (top === 0) {
    box.textContent = "Nothing in this range";
    return;
  }
  const axis = { stroke: color("soft"), font: "12px system-ui", ticks: { show: false } };
  const bars = uPlot.paths.bars({ size: [0.75, 40], radius: 0 });
  const order = sums.map((_, index) => index).reverse();
  const last = chart.times.at(-1);
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false }, points: { show: false } },
      scales: {
        x: { time: false, range: [chart.times[0] - chart.step / 2, last + chart.step / 2] },
        y: { range: [0, top * 1.08] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 26,
          splits: (u) => {
            const most = Math.max(2, Math.floor(u.bbox.width / devicePixelRatio / 64));
            const every = Math.ceil(chart.times.length / most);
            return chart.times.filter((_, index) => index % every === 0);
          },
          values: (_, splits) => splits.map((seconds) => axisText(seconds, chart.step)),
        },
        {
          ...axis,
          grid: { stroke: color("line"), width: 1 },
          size: 52,
          space: 30,
          values: (_, splits) => splits.map((value) => (chart.unit === "requests" && value % 1 ? "" : format(value))),
        },
      ],
      series: [{}, ...order.map((index) => ({ fill: color(chart.series[index].color), width: 0, paths: bars, points: { show: false } }))],
      hooks: { setCursor: [(u) => showTip(u.cursor.idx)] },
    },
    [chart.times, ...order.map((index) => sums[index])],
    box,
  );
  const tip = element(box, "div", "tip");
  tip.hidden = true;

  function describe(index) {
    const begin = timeText(chart.times[index], chart.step < DAY);
    return [begin, ...chart.series.map(({ name, values }) => `${name}: ${format(values[index])}`)];
  }

  function showTip(index) {
    tip.hidden = index == null;
    if (index == null) return;
    tip.replaceChildren();
    const [begin, ...values] = describe(index);
    element(tip, "b", "", begin);
    values.forEach((text, number) => {
      const line = element(tip, "i");
      element(line, "span", `swatch ${chart.series[number].color}`);
      line.append(text);
    });
    const left = plot.valToPos(chart.times[index], "x") + plot.bbox.left / devicePixelRatio;
    const isLeft = left < box.clientWidth / 2;
    Object.assign(tip.style, {
      top: "0",
      left: isLeft ? `${left + 12}px` : "auto",
      right: isLeft ? "auto" : `${box.clientWidth - left + 12}px`,
    });
  }

  function choose(index) {
    plot.setCursor({ left: plot.valToPos(chart.times[index], "x"), top: 0 });
    box.setAttribute("aria-valuenow", String(index));
    box.setAttribute("aria-valuetext", describe(index).join(", "));
  }

  box.onkeydown = (event) => {
    const now = plot.cursor.idx ?? chart.times.length;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: chart.times.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(Math.min(Math.max(to, 0), chart.times.length - 1));
  };
  box.onpointerdown = box.onpointermove = (event) => {
    if (event.pointerType === "mouse") return; // uPlot follows the mouse itself
    plot.setCursor({ left: event.clientX - plot.over.getBoundingClientRect().left, top: 0 });
  };
  box.onblur = () => plot.setCursor({ left: -10, top: -10 });
  return () => plot.destroy();
}

// A slider is the role for "one value of many, chosen with the arrow keys".
function prepare(figure) {
  const { title, times } = JSON.parse(figure.dataset.chart);
  const box = figure.querySelector(".plot");
  const attributes = { role: "slider", tabindex: "0", "aria-label": `${title}, use the arrow keys to read values` };
  attributes["aria-valuemin"] = "0";
  attributes["aria-valuemax"] = attributes["aria-valuenow"] = String(times.length - 1);
  attributes["aria-valuetext"] = "no time chosen";
  for (const [name, value] of Object.entries(attributes)) box.setAttribute(name, value);
}

function drawAll() {
  for (const [figure, destroy] of drawn) {
    destroy();
    drawn.delete(figure);
  }
  for (const figure of document.querySelectorAll("[data-chart]")) {
    prepare(figure);
    drawn.set(figure, draw(figure));
  }
}

let width = document.documentElement.clientWidth;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return; // a phone hides its address bar
  width = document.documentElement.clientWidth;
  drawAll();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("htmx:afterSettle", ({ target }) => target.querySelector?.("[data-chart]") && drawAll());
drawAll();
