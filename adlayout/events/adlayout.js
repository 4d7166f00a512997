// Reports that a page was rendered, which ads were seen, how long it was read and how much it moved.
(() => {
	const page = document, tags = [...page.querySelectorAll("script[data-token]")];
	const me = page.currentScript || tags.pop(), {token} = me?.dataset || {};
	if (!token || tags.some(tag => tag.adl == token)) return;
	me.adl = token;
	const url = new URL("v1/events", me.src), id = crypto.getRandomValues(new Uint32Array(4)).join("-");
	const visible = () => !page.prerendering && !page.hidden;
	const looked = () => visible() && page.hasFocus();
	const on = (kinds, hear) => kinds.split(" ").forEach(kind => addEventListener(kind, hear, true));

	let events = [], timer;
	const send = () => {
		timer = clearTimeout(timer);
		while (events[0]) {
			const body = JSON.stringify({token, id, events: events.splice(0, 50)});
			navigator.sendBeacon?.(url, body) ||
				fetch(url, {method: "POST", mode: "no-cors", keepalive: 1, body}).catch(() => {});
		}
	};
	const tell = event => {
		events.push(event);
		timer ||= setTimeout(send, 1e3);
	};
	const call = (slot, name) => slot.querySelectorAll("*").forEach(node =>
		node.dataset?.[name]?.split(/\s+/).forEach(src => src && (new Image().src = src)));

	// Who does nothing for 15 seconds has stopped reading.
	let reading, read = 0, since = 0, until = performance.now() + 15e3, moved = 0, n = 0, shown;
	const count = () => {
		const now = performance.now();
		if (reading) read += Math.max(0, Math.min(now, until) - since);
		since = now;
		reading = looked();
	};
	const leave = () => {
		count();
		if (read > 99 || moved) {
			tell({type: "engaged", ms: read | 0, n});
			tell({type: "shift", value: moved, n});
			read = moved = 0;
			n++;
		}
		send();
	};

	// Seen: half of an ad, or 30 % of a large one, in front of the reader for one second.
	const slots = new Map();
	const judge = (one, ad) => {
		if (!one.near || !looked()) one.timer = clearTimeout(one.timer);
		else one.timer ||= setTimeout(() => {
			slots.delete(ad);
			tell({type: "view", slot: one.slot.dataset.adlSlot});
			call(one.slot, "adlView");
		}, 1e3);
	};
	const watch = new IntersectionObserver(list => list.forEach(({target: ad, intersectionRatio, boundingClientRect: box}) => {
		const one = slots.get(ad);
		if (!one) return;
		one.near = intersectionRatio >= (box.width * box.height < 242500 ? .5 : .3);
		judge(one, ad);
	}), {threshold: [.3, .5]});

	const change = () => {
		count();
		if (!visible()) leave();
		else if (!shown) {
			shown = 1;
			tell({type: "exposure"});
		}
		slots.forEach(judge);
	};
	const size = node => node.offsetWidth * node.offsetHeight || 0;
	const start = () => {
		for (const slot of page.querySelectorAll("[data-adl-slot]")) {
			const [ad] = [...slot.querySelectorAll("*")].sort((a, b) => size(b) - size(a));
			if (!ad) continue;
			slots.set(ad, {slot});
			watch.observe(ad);
			slot.addEventListener("click", () => call(slot, "adlClick"), {once: 1});
		}
		change();
	};

	on("scroll pointermove pointerdown keydown", () => {
		count();
		until = since + 15e3;
	});
	// Focus that moves into a frame is nowhere for a moment.
	on("focus blur visibilitychange prerenderingchange", () => {
		change();
		setTimeout(change);
	});
	on("pagehide", leave);
	if (PerformanceObserver.supportedEntryTypes?.includes("layout-shift"))
		new PerformanceObserver(list => list.getEntries().forEach(one => one.hadRecentInput || (moved += one.value)))
			.observe({type: "layout-shift", buffered: 1});
	page.readyState == "loading" ? on("DOMContentLoaded", start) : start();
})();
