"use strict";
// The browser for samples. All that a model wrote goes in as text (textContent), never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const ALL = "";
  let matches = []; // the problems that pass the filters, each with its samples that do
  let place = 0; // which of them is shown

  const words = (name) => name.replaceAll("_", " ");

  function make(tag, style, ...content) {
    const element = document.createElement(tag);
    if (style) element.className = style;
    element.append(...content); // strings become text nodes
    return element;
  }

  for (const set of data.sets) {
    for (const problem of set.problems) {
      problem.samples = problem.samples.map((row) => Object.fromEntries(data.fields.map((name, i) => [name, row[i]])));
    }
  }

  // Filters

  function fill(id, choices, chosen) {
    const select = at(id);
    select.replaceChildren(
      ...choices.map(([value, name]) => {
        const option = make("option", "", name);
        option.value = value;
        return option;
      })
    );
    select.value = choices.some(([value]) => value === chosen) ? chosen : choices[0][0];
    select.parentElement.hidden = choices.length < 2;
  }

  const current = () => data.sets[Number(at("set").value)];

  function fillFilters() {
    const { columns, problems } = current();
    const runs = [...new Set(columns.map((one) => one.run))];
    const runChoices = runs.map((run) => [String(run), data.runs[run] || "this run"]);
    if (runs.length > 1) runChoices.push([ALL, "all runs"]);
    fill("run", runChoices, at("run").length ? at("run").value : String(runs[0]));
    const rounds = new Map(columns.map((one) => [String(one.round), one.name]));
    fill("round", [[ALL, "all rounds"], ...rounds], at("round").value);
    const statuses = new Set(problems.flatMap((one) => one.samples.map((sample) => sample.status)));
    fill("verdict", [[ALL, "any verdict"], ...[...statuses].sort().map((one) => [one, words(one)])], at("verdict").value);
    at("note").textContent = current().note;
  }

  function filter() {
    const { columns, problems } = current();
    const [run, round, verdict] = ["run", "round", "verdict"].map((id) => at(id).value);
    const query = at("search").value.trim().toLowerCase();
    const has = (text) => text.toLowerCase().includes(query);
    const inColumn = columns.map(
      (one) => (run === ALL || String(one.run) === run) && (round === ALL || String(one.round) === round)
    );
    matches = [];
    for (const problem of problems) {
      const inView = problem.samples.filter((one) => inColumn[one.column]);
      const whole = [problem.id, problem.question, problem.gold].some(has);
      const samples = inView.filter((one) => (verdict === ALL || one.status === verdict) && (whole || has(one.text)));
      if (samples.length) matches.push({ problem, inView, samples });
    }
    const total = problems.length;
    at("found").textContent = matches.length === total ? `${total} problems` : `${matches.length} of ${total} problems`;
    list();
    show(0);
  }

  // Problems

  const correct = (samples) => samples.filter((one) => one.status === "correct").length;

  const columnsOf = (samples) => [...new Set(samples.map((one) => one.column))].sort((one, other) => one - other);

  function list() {
    at("problems").replaceChildren(
      ...matches.map(({ problem, inView }, number) => {
        const button = make("button", "", make("span", "question", problem.question.slice(0, 160)));
        const tally = make("span", "tally");
        for (const column of columnsOf(inView)) {
          const of = inView.filter((one) => one.column === column);
          const share = correct(of) / of.length;
          tally.append(make("span", share === 1 ? "all" : share ? "some" : "none", `${correct(of)}/${of.length}`));
        }
        button.type = "button";
        button.title = `${problem.id}: correct samples by round`;
        button.append(tally);
        button.addEventListener("click", () => show(number));
        return make("li", "", button);
      })
    );
  }

  function show(number) {
    place = Math.min(Math.max(number, 0), matches.length - 1);
    at("previous").disabled = place <= 0;
    at("next").disabled = place >= matches.length - 1;
    const buttons = [...at("problems").querySelectorAll("button")];
    buttons.forEach((one, i) => (i === place ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current")));
    if (!matches.length) {
      at("problem").replaceChildren(make("p", "empty", "No sample passes these filters."));
      return;
    }
    const box = at("problems");
    const item = buttons[place].parentElement;
    // Only the list is scrolled: scrollIntoView would move the page too.
    if (item.offsetTop < box.scrollTop) box.scrollTop = item.offsetTop;
    const below = item.offsetTop + item.offsetHeight - box.clientHeight;
    if (below > box.scrollTop) box.scrollTop = below;
    draw(matches[place]);
  }

  function draw({ problem, inView, samples }) {
    const parts = [make("h3", "", problem.id), make("p", "question", ...marked(problem.question))];
    if (problem.gold) parts.push(make("p", "gold", "gold answer ", make("code", "", problem.gold)));
    if (problem.solution) {
      parts.push(make("details", "", make("summary", "", "the data set's solution"), make("pre", "", problem.solution)));
    }
    const rounds = make("div", "rounds");
    for (const column of columnsOf(inView)) {
      const { run, name } = current().columns[column];
      const of = inView.filter((one) => one.column === column);
      const left = samples.filter((one) => one.column === column);
      const title = at("run").value === ALL && data.runs[run] ? `${data.runs[run]}, ${name}` : name;
      const head = make("h4", "", title, make("span", "count", `${correct(of)} of ${of.length} correct`));
      const hidden = of.length - left.length;
      rounds.append(
        make("section", "round", head, ...left.map(card), hidden ? make("p", "empty", `${hidden} hidden by the filters`) : "")
      );
    }
    at("problem").replaceChildren(...parts, rounds);
  }

  // Samples

  function card(sample) {
    const head = make("p", "verdict", make("span", `badge ${sample.status}`, words(sample.status)));
    if (sample.kept) head.append(make("span", "badge kept", "kept to train on"));
    if (sample.finish_reason === "length") head.append(make("span", "badge", "cut off"));
    head.append(make("span", "index", `#${sample.index}`));
    const lines = [decided(sample), tests(sample), sample.reason].filter(Boolean);
    return make("article", "sample", head, ...lines.map((one) => make("p", "why", one)), make("pre", "", ...marked(sample.text)));
  }

  function decided(sample) {
    if (sample.kind || sample.total > 1) return "";
    const read = sample.lenient_answer || sample.strict_answer;
    const rule = sample.rule ? `rule ${words(sample.rule)}` : "no rule found an answer";
    const differ = sample.strict !== sample.lenient;
    return (
      (read ? `${rule} read ${read}` : rule) +
      (differ ? `; strict: ${words(sample.strict)}, lenient: ${words(sample.lenient)}` : "")
    );
  }

  function tests(sample) {
    if (!sample.kind && sample.total <= 1) return "";
    const passed = `${sample.passed} of ${sample.total} tests passed`;
    const first = sample.first_failed ? ` at test ${sample.first_failed}` : "";
    return sample.kind ? `${sample.kind}${first}; ${passed}` : passed;
  }

  function marked(text) {
    const query = at("search").value.trim().toLowerCase();
    const lower = text.toLowerCase();
    // A letter whose lower case is longer would shift the marks.
    if (!query || lower.length !== text.length) return [text];
    const parts = [];
    let start = 0;
    for (let hit = lower.indexOf(query); hit >= 0; hit = lower.indexOf(query, start)) {
      parts.push(text.slice(start, hit), make("mark", "", text.slice(hit, hit + query.length)));
      start = hit + query.length;
    }
    return [...parts, text.slice(start)];
  }

  // Keys

  function step(by) {
    show(place + by);
    const focused = document.activeElement;
    if (focused && focused.closest("#problems")) at("problems").querySelectorAll("button")[place].focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const inList = event.target.closest("#problems");
    const steps = { j: 1, k: -1, ...(inList ? { ArrowDown: 1, ArrowUp: -1 } : {}) };
    if (event.key in steps) step(steps[event.key]);
    else if (event.key === "/") at("search").focus();
    else return;
    event.preventDefault();
  });

  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("search").addEventListener("input", filter);
  for (const id of ["run", "round", "verdict"]) at(id).addEventListener("change", filter);
  at("set").addEventListener("change", () => {
    fillFilters();
    filter();
  });
  fill("set", data.sets.map((one, i) => [String(i), one.title]), "0");
  fillFilters();
  filter();
})();
