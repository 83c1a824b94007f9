// What a token says. It is read, not verified: only the hub has the key.

const DETAIL = "https://mercure.rocks/authorization-detail";

// decode returns the header and the claims of a JWT; it throws an Error that says what is wrong with it.
export function decode(token) {
  const parts = token.trim().split(".");
  if (parts.length !== 3) throw new Error(`A token has three parts joined by dots; this has ${parts.length}.`);
  return { header: part(parts[0], "header"), claims: part(parts[1], "claims") };
}

function part(text, name) {
  let value;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (c) => c.charCodeAt(0))));
  } catch {
    throw new Error(`The ${name} of the token cannot be read as JSON in base64url.`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error(`The ${name} of the token is no JSON object.`);
  return value;
}

// read says what a decoded token grants and what a hub will find wrong with it. now is in seconds since 1970;
// audience is the hub's resource identifier, or empty if that is not known.
export function read({ header, claims }, now, audience = "") {
  const problems = [];
  const dialect = dialectOf(header, claims);
  const grants = { publish: [], subscribe: [] };
  if (dialect === "1.0") readAccess(claims, grants, problems, audience);
  else if (dialect === "0.x") readClassic(claims["https://mercure.rocks/"] ?? claims.mercure, grants, problems);
  else problems.push('It is no token for Mercure: "typ" is not at+jwt, and there is no claim "mercure".');
  if (header.alg === "none") problems.push('It is not signed: "alg" is none.');
  if (typeof claims.exp === "number" && claims.exp <= now) problems.push("It has expired.");
  if (typeof claims.nbf === "number" && claims.nbf > now) problems.push("It is not valid yet.");
  return { dialect, grants, problems, expires: typeof claims.exp === "number" ? claims.exp : null };
}

function dialectOf(header, claims) {
  const type = String(header.typ ?? "").toLowerCase().replace(/^application\//, "");
  if (type === "at+jwt") return "1.0";
  return claims.mercure || claims["https://mercure.rocks/"] ? "0.x" : null;
}

// readAccess reads a 1.0 token: an access token (RFC 9068) with authorization details (RFC 9396).
function readAccess(claims, grants, problems, audience) {
  for (const name of ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]) {
    if (claims[name] === undefined) problems.push(`The claim "${name}" is missing, which a 1.0 token has to have.`);
  }
  const named = [claims.aud].flat();
  if (audience && claims.aud !== undefined && !named.includes(audience)) {
    problems.push(`It is for ${named.join(", ")}, and this hub is ${audience}.`);
  }
  const details = claims.authorization_details;
  if (details !== undefined && !Array.isArray(details)) problems.push('"authorization_details" is no list.');
  for (const detail of Array.isArray(details) ? details : []) {
    if (detail?.type !== DETAIL) continue;
    for (const action of ["publish", "subscribe"]) {
      if ([detail.actions].flat().includes(action)) grants[action].push(...[detail.topics ?? []].flat().map(selector));
    }
  }
}

// readClassic reads the claim of a 0.x token: lists of topic selectors.
function readClassic(claim, grants, problems) {
  for (const action of ["publish", "subscribe"]) {
    const list = claim?.[action];
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) problems.push(`"mercure.${action}" is no list.`);
    else grants[action].push(...list.map(selector));
  }
}

// selector describes one entry of a list: a string, exact or a URI template, or an object of 1.0.
function selector(entry) {
  if (typeof entry === "string") return { pattern: entry, kind: entry.includes("{") ? "URI template" : entry === "*" ? "every topic" : "exact" };
  const pattern = String(entry?.match ?? "");
  if (entry?.match_type === "urlpattern") return { pattern, kind: "URL pattern" };
  return { pattern, kind: pattern === "*" ? "every topic" : "exact" };
}
