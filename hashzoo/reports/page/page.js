"use strict";

/* The retrieval explorer: two groups of radio buttons, which the arrow keys move through, and the answers below them. */

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function choices(legend, name, entries, choose) {
  const labels = entries.map((entry, number) => {
    const input = made("input", { type: "radio", name, checked: number === 0 });
    input.addEventListener("change", () => choose(number));
    return made("label", { className: "choice" }, input, entry);
  });
  return made("fieldset", {}, made("legend", { textContent: legend }), ...labels);
}

function start(section, data) {
  const chosen = { query: 0, method: 0 };
  const answers = made("div", { className: "answers" });
  answers.setAttribute("aria-live", "polite");

  const picture = (image, role) =>
    made("img", {
      className: "picture",
      src: data.images[image],
      alt: `${role}: ${data.labels[image]}`,
      title: data.labels[image],
    });

  const answer = ([image, distance, relevant]) => {
    const word = relevant ? "relevant" : "not relevant";
    const mark = made("span", { textContent: relevant ? " ✓" : " ✗", title: word, role: "img", ariaLabel: word });
    return made("li", { className: relevant ? "relevant" : "" }, picture(image, word), `d ${distance}`, mark);
  };

  const ranking = ({ bits, seed, answers: ofQueries }) => {
    const found = ofQueries[chosen.query];
    const hits = found.filter(([, , relevant]) => relevant).length;
    const title = `${bits} bits, seed ${seed}: ${hits} of ${found.length} relevant`;
    return [made("h4", { textContent: title }), made("ol", {}, ...found.map(answer))];
  };

  const show = () => {
    const query = data.queries[chosen.query];
    const method = data.methods[chosen.method];
    const words = `Query ${query.position} (${data.labels[query.image]}), answered by ${method.label}`;
    answers.replaceChildren(made("p", { textContent: words }), ...method.lengths.flatMap(ranking));
  };

  const choose = (what) => (number) => {
    chosen[what] = number;
    show();
  };

  section.append(
    choices("Query", `${section.id}-query`, data.queries.map(({ image }) => picture(image, "query")), choose("query")),
    choices(
      "Method",
      `${section.id}-method`,
      data.methods.map(({ label }) => made("span", { textContent: label })),
      choose("method"),
    ),
    answers,
  );
  show();
}

for (const [id, data] of Object.entries(JSON.parse(document.getElementById("explorers").textContent))) {
  start(document.getElementById(id), data);
}
