// Discovery of hubs by Link headers ("Discovery"; RFC 8288).

/** @typedef {{target: string, parameters: Record<string, string>}} Link */

/**
 * Parses a Link header, several of which fetch joins with commas.
 * @param {string} header
 * @returns {Link[]}
 */
export function parseLinks(header) {
  /** @type {Link[]} */
  const links = [];
  const link = /<([^>]*)>((?:\s*;\s*[^\s=;,"]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)/g;
  const parameter = /;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;
  for (const [, target, rest] of header.matchAll(link)) {
    /** @type {Record<string, string>} */
    const parameters = {};
    for (const [, name, quoted, bare] of rest.matchAll(parameter)) {
      parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "";
    }
    links.push({ target, parameters });
  }
  return links;
}

/**
 * Reads which hub a resource names, and from which event on a stream continues it.
 * @param {Response} response
 * @param {{origins?: string[]}} [options]
 * @returns {import("../index.d.ts").Discovery | null}
 */
export function discover(response, { origins = [] } = {}) {
  const links = parseLinks(response.headers.get("Link") ?? "");
  /** @param {string} relation */
  const related = (relation) => links.filter(({ parameters }) => parameters.rel?.toLowerCase().split(/\s+/).includes(relation));
  // Whoever may write this header could have tokens sent to a hub of their own: other origins have to be named.
  const trusted = new Set([new URL(response.url).origin, ...origins]);
  for (const { target, parameters } of related("mercure")) {
    const hub = new URL(target, response.url);
    if (!trusted.has(hub.origin)) continue;
    const self = related("self")[0]?.target;
    return {
      hub: hub.href,
      topic: self === undefined ? response.url : new URL(self, response.url).href,
      lastEventID: parameters["last-event-id"] ?? "",
      contentType: parameters["content-type"] ?? response.headers.get("Content-Type") ?? "",
      type: parameters.type ?? "message",
    };
  }
  return null;
}
