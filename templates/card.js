"use strict";
// The card is complete without this: scripts only sort, filter, toggle, count and zoom.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const shown = (element, on) => { element.style.display = on ? "" : "none"; };

  // Tables: sort by a column, copy as CSV.
  const columns = (table) => {
    const rows = [...table.tHead.rows];
    const grid = rows.map(() => []);
    rows.forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (grid[y][x]) x += 1;
        for (let dy = 0; dy < cell.rowSpan; dy += 1)
          for (let dx = 0; dx < cell.colSpan; dx += 1) if (grid[y + dy]) grid[y + dy][x + dx] = cell;
        x += cell.colSpan;
      }
    });
    return grid;
  };
  const cellsOf = (body) => {
    const grid = [];
    [...body.rows].forEach((row, y) => {
      grid[y] ||= [];
      let x = 0;
      for (const cell of row.cells) {
        while (grid[y][x]) x += 1;
        for (let dy = 0; dy < cell.rowSpan; dy += 1)
          for (let dx = 0; dx < cell.colSpan; dx += 1) (grid[y + dy] ||= [])[x + dx] = cell;
        x += cell.colSpan;
      }
    });
    return grid;
  };
  const sortKey = (cell) => {
    if (!cell) return null;
    if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
    if (cell.classList.contains("none")) return null;
    const text = cell.textContent.trim();
    return text === "" ? null : text;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  const sortBy = (table, x, header) => {
    const up = header.getAttribute("aria-sort") !== "ascending";
    all("th[aria-sort]", table).forEach((th) => th.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const grouped = table.classList.contains("grouped");
    const bodies = [...table.tBodies].filter((body) => !body.classList.contains("average"));
    const items = grouped ? bodies : [...bodies[0].rows];
    const keyed = items.map((item, order) => {
      const first = grouped ? cellsOf(item)[0] : cellsOf({ rows: [item] })[0];
      return { item, order, key: sortKey(first[x]) };
    });
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.order - b.order;
      return (up ? 1 : -1) * compare(a.key, b.key) || a.order - b.order;
    });
    const last = [...table.tBodies].find((body) => body.classList.contains("average"));
    for (const { item } of keyed) grouped ? table.insertBefore(item, last || null) : bodies[0].append(item);
  };
  const csvCell = (cell) => {
    let text = cell ? cell.textContent.replace(/\s+/g, " ").trim().replace(/[↕↑↓]/g, "").trim() : "";
    const plain = text.replaceAll("\u2212", "-");
    if (/^[+-]?[\d.,]+ ?%?(?:[ (][-\d.,to ()%]*)?$/.test(plain)) text = plain;
    // A spreadsheet would run a cell that starts like a formula.
    else if (/^[=+\-@\t\r\u2212\uff1d\uff0b\uff0d\uff20]/.test(text)) text = `'${text}`;
    return `"${text.replaceAll('"', '""')}"`;
  };
  const csvOf = (table) => {
    const head = columns(table);
    const names = head[head.length - 1].map((cell, x) => {
      const above = head[0][x];
      const name = csvCell(cell).slice(1, -1);
      return above === cell ? `"${name}"` : `"${csvCell(above).slice(1, -1)}: ${name}"`;
    });
    const lines = [names.join(",")];
    for (const body of table.tBodies)
      for (const row of cellsOf(body)) lines.push(row.map(csvCell).join(","));
    return lines.join("\r\n") + "\r\n";
  };
  for (const table of all("table.data")) {
    const head = columns(table);
    const bottom = head[head.length - 1];
    const sortable = table.classList.contains("grouped") || table.tBodies.length <= 2;
    if (sortable)
      bottom.forEach((th, x) => {
        if (th.querySelector("button")) return;
        const button = make("button", { type: "button" }, ...th.childNodes);
        th.append(button);
        button.addEventListener("click", () => sortBy(table, x, th));
      });
    const copy = make("button", { type: "button", textContent: "Copy as CSV" });
    copy.setAttribute("aria-label", `Copy as CSV: ${table.caption ? table.caption.textContent : table.id}`);
    copy.addEventListener("click", async () => {
      const text = csvOf(table);
      try { await navigator.clipboard.writeText(text); }
      catch { fallbackCopy(text); }
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy as CSV"; }, 1500);
    });
    table.csv = () => csvOf(table);
    (table.closest(".scroll") || table).before(make("div", { className: "tools" }, copy));
  }
  const fallbackCopy = (text) => {
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };

  // Subgroups: one trait at a time.
  const byGroup = document.getElementById("table-groups");
  const traits = byGroup ? [...new Set(columns(byGroup)[0].filter((cell) => cell.classList.contains("g")))] : [];
  if (traits.length > 1) {
    const choose = make("select", { id: "groups-shown" }, make("option", { value: "", textContent: "All" }));
    traits.forEach((trait, i) => choose.append(make("option", { value: String(i), textContent: trait.textContent })));
    choose.addEventListener("change", () => {
      const top = columns(byGroup)[0];
      const wanted = (x) => !traits.includes(top[x]) || choose.value === "" || top[x] === traits[Number(choose.value)];
      for (const grid of [columns(byGroup), ...[...byGroup.tBodies].map(cellsOf)])
        for (const row of grid) row.forEach((cell, x) => shown(cell, wanted(x)));
    });
    byGroup.closest(".scroll").previousElementSibling.prepend(make("label", {}, "Groups by ", choose));
  }

  // One bar for the whole card: which networks, which observations.
  const state = { hidden: new Set(), words: "" };
  const apply = () => {
    for (const element of all("[data-net]")) shown(element, !state.hidden.has(element.dataset.net));
    for (const element of all("[data-observation]"))
      shown(element, element.dataset.observation.toLowerCase().includes(state.words));
    // The cells that span a group stand in its first row that is shown.
    for (const body of all("table.grouped tbody, table.small tbody")) {
      const spanning = all(":scope > tr > [rowspan]", body);
      const rows = [...body.rows].filter((row) => row.style.display !== "none");
      if (!spanning.length || !rows.length) continue;
      rows[0].prepend(...spanning.filter((cell) => !cell.classList.contains("tail")));
      rows[0].append(...spanning.filter((cell) => cell.classList.contains("tail")));
      spanning.forEach((cell) => { cell.rowSpan = rows.length; cell.setAttribute("rowspan", rows.length); });
    }
  };
  const names = new Map();
  for (const row of all("[data-net]")) {
    const net = row.querySelector(".net");
    if (net && !names.has(row.dataset.net)) names.set(row.dataset.net, net);
  }
  const bar = make("div", { className: "view" });
  bar.setAttribute("role", "region");
  bar.setAttribute("aria-label", "What the card shows");
  if (names.size > 1) {
    const set = make("fieldset", {}, make("legend", { textContent: "Networks" }));
    for (const [slug, net] of names) {
      const box = make("input", { type: "checkbox", checked: true });
      box.dataset.toggle = slug;
      box.addEventListener("change", () => {
        box.checked ? state.hidden.delete(slug) : state.hidden.add(slug);
        apply();
      });
      set.append(make("label", {}, box, net.cloneNode(true)));
    }
    bar.append(set);
  }
  const search = make("input", { type: "search", id: "filter", autocomplete: "off" });
  search.addEventListener("input", () => {
    state.words = search.value.trim().toLowerCase();
    apply();
  });
  bar.append(make("label", {}, "Observation", search));
  document.querySelector("main").after(bar);

  // The operating point.
  const points = JSON.parse(document.getElementById("points").textContent);
  const panel = document.getElementById("operating-panel");
  const two = (value) => (Number.isFinite(value) ? value.toFixed(2) : "not defined");
  if (points && panel) {
    const choose = document.getElementById("op-observation");
    const slide = document.getElementById("op-threshold");
    const said = document.getElementById("op-value");
    const prevalence = document.getElementById("op-prevalence");
    slide.max = points.thresholds.length - 1;
    slide.value = points.start;
    const update = () => {
      const place = Number(slide.value);
      const threshold = points.thresholds[place];
      said.textContent = String(threshold);
      slide.setAttribute("aria-valuetext", String(threshold));
      const share = Number(prevalence.value) / 100;
      for (const box of all("[data-matrix]")) {
        const counts = (points.counts[choose.value] || {})[box.dataset.matrix];
        const put = (name, value) => { box.querySelector(`.${name}`).textContent = value; };
        if (!counts) { for (const n of ["tp", "fn", "fp", "tn", "sens", "spec", "ppv", "npv"]) put(n, "not provided"); continue; }
        const [trues, falses, positives, negatives] = counts;
        const tp = trues[place], fp = falses[place];
        const sens = tp / positives, spec = 1 - fp / negatives;
        put("tp", tp); put("fn", positives - tp); put("fp", fp); put("tn", negatives - fp);
        put("sens", two(sens)); put("spec", two(spec));
        put("ppv", two((sens * share) / (sens * share + (1 - spec) * (1 - share))));
        put("npv", two((spec * (1 - share)) / (spec * (1 - share) + (1 - sens) * share)));
        mark(choose.value, box.dataset.matrix, 1 - spec, sens);
      }
    };
    const own = () => {
      const counts = Object.values(points.counts[choose.value] || {})[0];
      if (counts) prevalence.value = ((100 * counts[2]) / (counts[2] + counts[3])).toFixed(1);
      update();
    };
    choose.addEventListener("change", own);
    slide.addEventListener("input", update);
    prevalence.addEventListener("input", update);
    panel.hidden = false;
    // A dot on the ROC curve shows where the operating point lies.
    function mark(observation, slug, x, y) {
      for (const dot of all("circle.at")) if (dot.dataset.net === slug) dot.remove();
      const figure = all("figure[id^=figure-roc]").find((f) => f.dataset.observation === observation);
      const line = figure && all("path[data-net]", figure).find((p) => p.dataset.net === slug);
      if (!line || !Number.isFinite(x) || !Number.isFinite(y)) return;
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      dot.setAttribute("cx", 30 + 150 * x);
      dot.setAttribute("cy", 8 + 150 * (1 - y));
      dot.setAttribute("r", 4);
      dot.setAttribute("class", `at dot ${[...line.classList].find((c) => /^net\d/.test(c))}`);
      dot.dataset.net = slug;
      line.after(dot);
      shown(dot, !state.hidden.has(slug));
    }
    own();

    // Curves: the counts nearest to the pointer.
    for (const figure of all(".charts.many figure[id^=figure-roc]")) {
      const reading = make("p", { className: "reading" });
      reading.setAttribute("aria-hidden", "true");
      figure.append(reading);
      const drawing = figure.querySelector("svg");
      drawing.addEventListener("pointermove", (event) => {
        const box = drawing.getBoundingClientRect();
        const x = ((event.clientX - box.left) / box.width) * 190, y = ((event.clientY - box.top) / box.height) * 190;
        let best = null;
        for (const [slug, counts] of Object.entries(points.counts[figure.dataset.observation] || {})) {
          if (state.hidden.has(slug)) continue;
          const [trues, falses, positives, negatives] = counts;
          points.thresholds.forEach((threshold, i) => {
            const distance = Math.hypot(30 + (150 * falses[i]) / negatives - x, 8 + 150 * (1 - trues[i] / positives) - y);
            if (!best || distance < best.distance) best = { distance, slug, threshold, tp: trues[i], fp: falses[i], positives, negatives };
          });
        }
        if (!best) return;
        const name = names.get(best.slug);
        reading.textContent = `${name ? name.textContent.trim() : best.slug} at ${best.threshold}: found ${best.tp} of ${best.positives}, false alarms ${best.fp} of ${best.negatives}`;
      });
      drawing.addEventListener("pointerleave", () => { reading.textContent = ""; });
    }
  }

  // Heatmaps: fade and zoom.
  const fade = document.getElementById("fade");
  if (fade) {
    document.getElementById("fade-panel").hidden = false;
    const dialog = make("dialog", {});
    dialog.setAttribute("aria-label", "Example, enlarged");
    const stage = make("span", { className: "stack" });
    const text = make("p");
    const close = make("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => dialog.close());
    dialog.append(stage, text, close);
    document.body.append(dialog);
    const setFade = () => {
      document.getElementById("fade-value").textContent = `${fade.value} %`;
      for (const overlay of all(".stack .overlay")) overlay.style.opacity = fade.value / 100;
    };
    for (const pictures of all(".pictures")) {
      const base = pictures.querySelector(".base"), stack = pictures.querySelector(".stack");
      if (!base || !stack) continue;
      const under = base.cloneNode();
      under.alt = "";
      under.className = "under";
      stack.prepend(under);
      const button = make("button", { type: "button" });
      button.setAttribute("aria-label", `Enlarge: ${stack.querySelector(".overlay").alt}`);
      stack.replaceWith(button);
      button.append(stack);
      button.addEventListener("click", () => {
        stage.replaceChildren(...[...stack.children].map((image) => image.cloneNode()));
        text.textContent = stack.querySelector(".overlay").alt;
        dialog.showModal();
      });
    }
    fade.addEventListener("input", setFade);
    setFade();
  }

  // Contents: where the reader is.
  const links = new Map(all(".contents a").map((a) => [a.getAttribute("href").slice(1), a]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries)
      if (entry.isIntersecting) {
        links.forEach((a) => a.removeAttribute("aria-current"));
        const link = links.get(entry.target.getAttribute("aria-labelledby"));
        if (link) link.setAttribute("aria-current", "location");
      }
  }, { rootMargin: "-15% 0px -75% 0px" });
  all("main > section").forEach((section) => watcher.observe(section));
  if (matchMedia("(max-width: 68rem)").matches) document.querySelector(".contents details").open = false;
})();
