// Numbers as people read them.

const sizes = ["B", "KiB", "MiB", "GiB", "TiB"];

// three writes a number with about three digits.
function three(value) {
	const size = Math.abs(value);
	if (size >= 100 || size === Math.trunc(size)) return Math.round(value).toLocaleString("en");
	return value.toFixed(size >= 10 ? 1 : 2);
}

export function bytes(value) {
	let i = 0;
	while (Math.abs(value) >= 1024 && i < sizes.length - 1) {
		value /= 1024;
		i++;
	}
	return `${three(value)} ${sizes[i]}`;
}

export function count(value) {
	const size = Math.abs(value);
	if (size >= 1e9) return `${three(value / 1e9)} G`;
	if (size >= 1e6) return `${three(value / 1e6)} M`;
	if (size >= 1e5) return `${three(value / 1e3)} k`;
	return three(value);
}

export const rate = value => `${count(value)}/s`;

export function seconds(value) {
	const size = Math.abs(value);
	if (size === 0) return "0 s";
	if (size < 1e-3) return `${three(value * 1e6)} µs`;
	if (size < 1) return `${three(value * 1e3)} ms`;
	return `${three(value)} s`;
}

export const clock = time => new Date(time).toLocaleTimeString("en-GB");

// measured writes a value of a profile by the unit that the profile names.
export function measured(value, unit) {
	if (unit === "bytes") return bytes(value);
	if (unit === "nanoseconds") return seconds(value / 1e9);
	return Math.round(value).toLocaleString("en");
}

export const change = (value, unit) => (value > 0 ? "+" : "") + measured(value, unit);
