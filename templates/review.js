"use strict";
// The form keeps everything in this browser; saving writes one JSON file, and nothing is sent.
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const get = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const place = `cxr-bench review ${content.set}`;
  const fresh = () => ({ reader: "", role: "", started: new Date().toISOString(), at: 0, cases: {}, signoff: {} });
  const restore = () => {
    try { return { ...fresh(), ...JSON.parse(localStorage.getItem(place)) }; } catch { return fresh(); }
  };
  let state = restore();
  state.at = Math.min(Math.max(0, Number(state.at) || 0), content.cases.length - 1);
  let kept = true;
  const keep = () => {
    try { localStorage.setItem(place, JSON.stringify(state)); }
    catch { kept = false; }
    tell();
  };
  const asked = () => content.cases[state.at];
  const record = (id) => (state.cases[id] ||= { seconds: 0, answers: {}, boxes: {}, comment: "" });
  const current = () => record(asked().case);

  // What is still open.
  const openOf = (item) => item.questions.filter((q) => !(state.cases[item.case] || { answers: {} }).answers[q.key]).length;
  function tell() {
    const open = content.cases.reduce((sum, item) => sum + openOf(item), 0);
    get("open").textContent = open
      ? `${open} ${open === 1 ? "question is" : "questions are"} unanswered. You can save now and go on later.`
      : "Every question is answered.";
    if (!kept) get("open").textContent += " This browser keeps nothing between visits: save before you close the page.";
    get("text").value = JSON.stringify(answers(), null, 1);
    [...get("go").options].forEach((option, i) => {
      const left = openOf(content.cases[i]);
      option.textContent = `${content.cases[i].case}${left ? "" : " (done)"}`;
    });
  }

  // The radiograph: window, zoom, boxes.
  const sheet = get("sheet"), boxes = get("boxes"), view = sheet.parentElement;
  const fit = () => {
    const side = Math.max(120, Math.min(view.clientWidth, view.clientHeight)) * Number(get("zoom").value);
    sheet.style.width = sheet.style.height = `${side}px`;
  };
  const window_ = () => {
    const centre = Number(get("centre").value) / 100, width = Number(get("width").value) / 100;
    const sign = get("invert").checked ? -1 : 1;
    for (const channel of document.querySelectorAll("#grey feComponentTransfer > *")) {
      channel.setAttribute("slope", sign / width);
      channel.setAttribute("intercept", 0.5 - (sign * centre) / width);
    }
    get("picture").style.filter = "url(#grey)";
  };
  const fade = get("fade");
  const setFade = () => { if (fade) get("overlay").style.opacity = fade.value / 100; };
  get("zoom").addEventListener("input", () => {
    const x = (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth, y = (view.scrollTop + view.clientHeight / 2) / view.scrollHeight;
    fit();
    view.scrollTo(x * view.scrollWidth - view.clientWidth / 2, y * view.scrollHeight - view.clientHeight / 2);
  });
  for (const id of ["centre", "width", "invert"]) get(id).addEventListener("input", window_);
  if (fade) fade.addEventListener("input", setFade);
  const reset = () => {
    for (const id of ["zoom", "centre", "width", "fade"]) if (get(id)) get(id).value = get(id).defaultValue;
    get("invert").checked = false;
    fit(); window_(); setFade();
  };
  get("reset").addEventListener("click", reset);
  addEventListener("resize", fit);

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const round = (value) => Math.round(value * 1000) / 1000;
  let drawing = null; // the question a box is drawn for, and its first corner
  const stopDrawing = () => {
    drawing = null;
    sheet.classList.remove("drawing");
    for (const button of document.querySelectorAll("[data-draw]")) button.setAttribute("aria-pressed", "false");
  };
  const addBox = (key, box) => {
    (current().boxes[key] ||= []).push(box.map(round));
    const choice = document.querySelector(`input[name="${CSS.escape(key)}"][value="present"]`);
    if (choice) { choice.checked = true; current().answers[key] = "present"; }
    keep(); showBoxes();
    return boxes.querySelector(`[data-key="${CSS.escape(key)}"][data-place="${current().boxes[key].length - 1}"]`);
  };
  const removeBox = (key, i) => {
    current().boxes[key].splice(i, 1);
    if (!current().boxes[key].length) delete current().boxes[key];
    keep(); showBoxes();
    document.querySelector(`[data-draw="${CSS.escape(key)}"]`).focus();
  };
  const percent = (value) => `${Math.round(100 * value)} %`;
  const lay = (element, [x0, y0, x1, y1]) => {
    Object.assign(element.style, { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` });
    element.setAttribute("aria-label", `${element.dataset.text}, box ${Number(element.dataset.place) + 1}: from ${percent(x0)} across and ${percent(y0)} down, ${percent(x1 - x0)} wide, ${percent(y1 - y0)} high. Arrow keys move, Shift and arrow keys resize, Delete removes.`);
  };
  const point = (event) => {
    const area = sheet.getBoundingClientRect();
    return [clamp((event.clientX - area.left) / area.width, 0, 1), clamp((event.clientY - area.top) / area.height, 0, 1)];
  };
  function showBoxes() {
    boxes.replaceChildren();
    for (const question of asked().questions) {
      const list = document.querySelector(`[data-places="${CSS.escape(question.key)}"]`);
      if (!list) continue;
      list.replaceChildren();
      (current().boxes[question.key] || []).forEach((box, i) => {
        const element = make("button", { type: "button", className: "box" }, make("span", { textContent: question.text }));
        Object.assign(element.dataset, { key: question.key, text: question.text, place: i });
        lay(element, box);
        element.addEventListener("keydown", (event) => moveBox(event, element, question.key, i));
        element.addEventListener("pointerdown", (event) => dragBox(event, element, question.key, i));
        boxes.append(element);
        const remove = make("button", { type: "button", textContent: `Remove box ${i + 1}` });
        remove.setAttribute("aria-label", `Remove box ${i + 1} of ${question.text}`);
        remove.addEventListener("click", () => removeBox(question.key, i));
        list.append(make("li", {}, remove));
      });
    }
  }
  function moveBox(event, element, key, i) {
    if (event.key === "Delete" || event.key === "Backspace") { event.preventDefault(); removeBox(key, i); return; }
    const step = { ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, -0.01], ArrowDown: [0, 0.01] }[event.key];
    if (!step) return;
    event.preventDefault();
    let [x0, y0, x1, y1] = current().boxes[key][i];
    if (event.shiftKey) {
      x1 = clamp(x1 + step[0], x0 + 0.01, 1); y1 = clamp(y1 + step[1], y0 + 0.01, 1);
    } else {
      const dx = clamp(step[0], -x0, 1 - x1), dy = clamp(step[1], -y0, 1 - y1);
      x0 += dx; x1 += dx; y0 += dy; y1 += dy;
    }
    current().boxes[key][i] = [x0, y0, x1, y1].map(round);
    lay(element, current().boxes[key][i]);
    keep();
  }
  function dragBox(event, element, key, i) {
    if (drawing || event.button !== 0) return;
    const [fromX, fromY] = point(event), [x0, y0, x1, y1] = current().boxes[key][i];
    element.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const [x, y] = point(moved);
      const dx = clamp(x - fromX, -x0, 1 - x1), dy = clamp(y - fromY, -y0, 1 - y1);
      current().boxes[key][i] = [x0 + dx, y0 + dy, x1 + dx, y1 + dy].map(round);
      lay(element, current().boxes[key][i]);
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", () => { element.removeEventListener("pointermove", move); keep(); }, { once: true });
  }
  // A box is drawn by dragging, or by a click on each of two opposite corners.
  const between = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  const wide = ([x0, y0, x1, y1]) => x1 - x0 >= 0.01 && y1 - y0 >= 0.01;
  const finish = (end) => {
    const box = between(drawing.corner, end);
    if (!wide(box)) return;
    const { key } = drawing;
    stopDrawing();
    addBox(key, box);
  };
  sheet.addEventListener("pointerdown", (event) => {
    if (!drawing || event.button !== 0) return;
    event.preventDefault();
    if (drawing.corner) finish(point(event));
    else drawing.corner = point(event);
  });
  sheet.addEventListener("pointerup", (event) => { if (drawing && drawing.corner) finish(point(event)); });

  // The questions of a case.
  const ask = (question) => {
    const box = make("fieldset", {}, make("legend", { textContent: question.text }));
    const choices = make("div", { className: "choices" });
    for (const [value, text] of question.choices) {
      const input = make("input", { type: "radio", name: question.key, value, checked: current().answers[question.key] === value });
      input.addEventListener("change", () => { current().answers[question.key] = value; keep(); });
      choices.append(make("label", {}, input, text));
    }
    box.append(choices);
    if (question.box) {
      const draw = make("button", { type: "button", textContent: "Add a box" });
      draw.dataset.draw = question.key;
      draw.setAttribute("aria-pressed", "false");
      draw.setAttribute("aria-label", `Add a box: ${question.text}`);
      draw.addEventListener("click", (event) => {
        const on = drawing && drawing.key === question.key;
        stopDrawing();
        if (event.detail === 0) { addBox(question.key, [0.4, 0.4, 0.6, 0.6]).focus(); return; }
        if (on) return;
        drawing = { key: question.key, corner: null };
        draw.setAttribute("aria-pressed", "true");
        sheet.classList.add("drawing");
        get("said").textContent = `Drag on the radiograph where you see ${question.text}, or click two opposite corners.`;
      });
      const list = make("ul", { className: "places" });
      list.dataset.places = question.key;
      choices.append(draw);
      box.append(list);
    }
    return box;
  };
  const show = (at, focus = true) => {
    stopDrawing();
    state.at = at;
    const item = asked(), known = current();
    get("case-title").textContent = `Case ${item.case} of ${content.cases.length}`;
    get("picture").src = content.pictures[item.picture];
    if (fade) get("overlay").src = item.overlay;
    get("questions").replaceChildren(...item.questions.map(ask));
    get("comment").value = known.comment;
    get("previous").disabled = at === 0;
    get("next").textContent = at === content.cases.length - 1 ? "To the end" : "Next";
    get("go").value = String(at);
    get("said").textContent = "";
    reset(); showBoxes(); keep();
    if (focus) get("case-title").focus();
  };
  content.cases.forEach((item, i) => get("go").append(make("option", { value: String(i), textContent: item.case })));
  get("go").addEventListener("change", () => show(Number(get("go").value)));
  get("previous").addEventListener("click", () => show(state.at - 1));
  get("next").addEventListener("click", () => {
    if (state.at < content.cases.length - 1) show(state.at + 1);
    else get("save").focus();
  });
  get("comment").addEventListener("input", () => { current().comment = get("comment").value; keep(); });

  // Seconds count while the page is seen and the reader is at it.
  const IDLE = 120000;
  let active = Date.now();
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel"]) addEventListener(kind, () => { active = Date.now(); }, { passive: true });
  setInterval(() => {
    if (document.visibilityState !== "visible" || Date.now() - active > IDLE) return;
    const box = get("case").getBoundingClientRect();
    if (box.bottom > 0 && box.top < innerHeight) current().seconds += 1;
  }, 1000);
  addEventListener("pagehide", keep);

  // Reader, sign-off, saving.
  for (const name of ["reader", "role"]) {
    get(name).value = state[name];
    get(name).addEventListener("input", () => { state[name] = get(name).value; keep(); });
  }
  const signed = ["name", "role", "decision", "remarks"];
  if (get("sign"))
    for (const name of signed) {
      const field = get(`sign-${name}`);
      field.value = state.signoff[name] || "";
      field.addEventListener("input", () => { state.signoff[name] = field.value; keep(); });
    }
  function answers() {
    const { format, version, stage, set } = content;
    const signoff = (state.signoff.decision || "").trim() ? Object.fromEntries(signed.map((name) => [name, (state.signoff[name] || "").trim()])) : null;
    return {
      format, version, stage, set,
      reader: state.reader.trim(), role: state.role.trim(),
      started: state.started, finished: new Date().toISOString(),
      answers: content.cases.filter((item) => state.cases[item.case]).map((item) => ({ case: item.case, ...state.cases[item.case] })),
      signoff,
    };
  }
  get("save").addEventListener("click", () => {
    if (!state.reader.trim()) {
      get("told").textContent = "Give your initials or code first: answers without a reader can't be used.";
      get("reader").focus();
      return;
    }
    if (state.signoff.decision && !(state.signoff.name || "").trim()) {
      get("told").textContent = "A sign-off needs a name.";
      get("sign").open = true;
      get("sign-name").focus();
      return;
    }
    keep();
    const name = `answers-${content.stage}-${content.set.slice(0, 8)}-${state.reader.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-") || "reader"}.json`;
    const link = make("a", { download: name, href: URL.createObjectURL(new Blob([JSON.stringify(answers(), null, 1)], { type: "application/json" })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    get("told").textContent = `Saved as ${name} in your downloads. Send that file back.`;
  });
  get("clear").addEventListener("click", () => {
    if (!confirm("Forget all answers in this browser?")) return;
    state = fresh();
    for (const field of document.querySelectorAll("#reader, #role, [id^=sign-]")) field.value = "";
    show(0);
  });
  get("form").hidden = false;
  show(state.at, false);
})();
