/* SPDX-License-Identifier: MIT */
"use strict";
/*
 * Elements. Everything that the daemon tells is somebody else's text: it becomes a
 * text node or a value of an attribute that is named here, never markup.
 */

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

/* Characters that are not seen, or turn the text beside them around, as escapes: a
 * name must not look like another. The same as in common/text.c. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const visible = (text) => String(text).replace(UNSEEN, (c) => {
	const code = c.codePointAt(0).toString(16).padStart(4, "0");

	return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
});

/* One more line to say, once: for who hears the page instead of seeing it. */
function announce(text)
{
	byId("announce").textContent = text;
}

function setAll(node, props)
{
	for (const [key, value] of Object.entries(props || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (key === "text")
			node.textContent = visible(value);
		else if (key === "click")
			node.addEventListener("click", value);
		else if (key === "data")
			Object.assign(node.dataset, value);
		else
			node.setAttribute(key, value === true ? "" : visible(value));
	}
	return node;
}

/* el("p", {class: "muted", text: words}, child, ...); null children are left out. */
function el(name, props, ...children)
{
	const node = setAll(document.createElement(name), props);

	for (const child of children.flat())
		if (child !== null && child !== undefined && child !== false)
			node.append(child instanceof Node ? child : visible(child));
	return node;
}

/* A sign of 24 by 24: each shape is [d, class]. */
function sign(shapes, props)
{
	const node = document.createElementNS(SVG, "svg");

	setAll(node, {viewBox: "0 0 24 24", "aria-hidden": "true", class: "sign", ...props});
	for (const [d, name] of shapes)
		node.append(setAll(document.createElementNS(SVG, "path"), {d, class: name}));
	return node;
}

/* Told apart by their shape; the colour comes on top. "in" is drawn in white. */
const SIGNS = {
	safe: [["M12 1.5a10.5 10.5 0 1 0 .001 0z"], ["M7 12.4l3.5 3.5L17 9", "in"]],
	attention: [["M12 2L23 21.5H1z"], ["M12 9v6M12 18v.6", "in"]],
	blocked: [["M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6L1.5 16.4V7.6z"],
		["M6.5 12h11", "in"]],
	unknown: [["M12 .8L23.2 12 12 23.2.8 12z"],
		["M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3q-1 .5-1 1.7M12 16.6v.5", "in"]],
	stale: [["M12 2.5a9.5 9.5 0 1 0 .001 0z", "ring"], ["M12 7v5l3.5 2", "line"]],
	running: [["M12 2.5a9.5 9.5 0 1 0 .001 0z", "ring"], ["M9.5 8v8l6.5-4z", "line"]],
};

/* What is drawn anew keeps the focus where it was: elements with data-key. */
function redraw(parent, ...children)
{
	const focused = document.activeElement;
	const key = focused && parent.contains(focused) ? focused.dataset.key : null;
	const open = new Set([...parent.querySelectorAll("details[open][data-key]")].map(
		(details) => details.dataset.key));

	parent.replaceChildren(...children.flat().filter((child) => child));
	for (const details of parent.querySelectorAll("details[data-key]"))
		details.open = details.open || open.has(details.dataset.key);
	if (!key)
		return;
	for (const node of parent.querySelectorAll("[data-key]"))
		if (node.dataset.key === key)
			node.focus({preventScroll: true});
}

/* Long names break at their slashes before they break anywhere. */
function pathText(path, props)
{
	const node = el("span", {class: "name", ...props});

	path.split("/").forEach((part, i) => {
		if (i)
			node.append("/", document.createElement("wbr"));
		node.append(visible(part));
	});
	return node;
}

function copyByHand(text)
{
	const area = el("textarea", {class: "sr", "aria-hidden": "true"});
	const focused = document.activeElement;

	area.value = text;
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	focused.focus({preventScroll: true});
	return done;
}

/* navigator.clipboard is there only over HTTPS and on this machine. */
async function copy(text)
{
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch (error) {
		return copyByHand(text);
	}
}

/* What the page itself advises. */
const commandStep = (command, comment = "") => ({command,
	text: comment ? `${command}   # ${comment}` : command});

/* A command with its button, and what its text adds; a step that is no command is a
 * sentence. */
function step({command, text})
{
	const node = el("code", {class: "name"}, command);
	const button = el("button", {type: "button", class: "copy", text: "Copy",
		"aria-label": `Copy: ${command}`, data: {key: `copy ${command}`}});

	if (!command)
		return el("p", {class: "advice name", text});
	if (text.length > command.length)
		node.append(el("span", {class: "muted", text: text.slice(command.length).trim()}));
	button.addEventListener("click", async () => {
		const done = await copy(command);

		button.textContent = done ? "Copied" : "Select it";
		button.classList.toggle("done", done);
		announce(done ? "Copied." : "It could not be copied.");
		setTimeout(() => {
			button.textContent = "Copy";
			button.classList.remove("done");
		}, 2000);
	});
	return el("div", {class: "command", data: {command}}, node, button);
}

/* The icon of the tab says the verdict too. */
function setIcon(kind)
{
	const colours = {safe: "#1a7f4b", attention: "#b7791f", blocked: "#c62f4b",
		unknown: "#7350b8", stale: "#7b8591"};
	const paths = (SIGNS[kind] || SIGNS.stale).map(([d, name]) => name
		? `<path d='${d}' fill='none' stroke='${name === "in" ? "#fff" : colours.stale}' ` +
			"stroke-width='2.6' stroke-linecap='round'/>"
		: `<path d='${d}' fill='${colours[kind]}'/>`);
	const svg = `<svg xmlns='${SVG}' viewBox='0 0 24 24'>${paths.join("")}</svg>`;
	const href = "data:image/svg+xml," + encodeURIComponent(svg);

	if (byId("icon").getAttribute("href") !== href)
		byId("icon").setAttribute("href", href);
}
