/** An update as it arrives on a stream. */
export interface HubEvent {
  /** The id of the update, from which a stream can be resumed. */
  id: string;
  /** The type that its publisher gave it; "message" if none. */
  type: string;
  data: string;
}

/** Says that updates may be missing, so what the page shows should be fetched anew. */
export interface Gap {
  /** The id that the stream was to be resumed from, which the hub no longer has; null if nothing had arrived yet. */
  requested: string | null;
  /** The id after which the stream goes on, "earliest" for all that is retained; null if the hub did not say. */
  resumedFrom: string | null;
}

/** "waiting" is the time between attempts, "paused" that of a hidden page. "closed" is for good. */
export type State = "connecting" | "open" | "waiting" | "paused" | "closed";

/**
 * An access token, or a function that gets one, null for none. The function is called for the first request, some time
 * before the token's end (its "exp" claim), and with `refused` when the hub did not take it, so that a cached one is not
 * given again.
 */
export type TokenSource = string | ((why: { refused: boolean }) => string | null | Promise<string | null>);

/** What to follow; at least one is needed, and all are united. */
export interface Matchers {
  /** Topics, compared exactly (1.0). */
  match?: string | string[];
  /** URL patterns (1.0). */
  matchURLPattern?: string | string[];
  /** Topics and URI templates (0.x). */
  topic?: string | string[];
}

export interface SubscribeOptions extends Matchers {
  /** The hub's URL, such as https://example.com/.well-known/mercure. */
  hub: string | URL;
  onEvent: (event: HubEvent) => void;
  onGap?: (gap: Gap) => void;
  onState?: (state: State) => void;
  /** Is told of every failure, also of those that are tried again; a HubError with `final` is the last one. */
  onError?: (error: Error) => void;
  token?: TokenSource;
  /** The event to begin after, "earliest" for all that the hub retains. Without it the stream begins with what is new. */
  lastEventID?: string;
  /** How cookies are sent, as for fetch; "include" for a hub of another origin. */
  credentials?: RequestCredentials;
  /**
   * Share one connection among the tabs of this origin, by a SharedWorker; where there is none, every tab has its own. Tabs
   * share if they want the same of the same hub. If tabs can have different tokens, give a text that says whose it is,
   * such as the user's id.
   */
  shared?: boolean | string;
  /** Rest while the page is hidden, and get what was missed when it is shown. */
  pauseWhenHidden?: boolean;
  /** After how many silent milliseconds a connection counts as lost: 60,000. Longer than the hub's heartbeat; 0 is never. */
  silence?: number;
  signal?: AbortSignal;
}

export interface Subscription {
  readonly state: State;
  /** The newest event that was delivered. */
  readonly lastEventID: string;
  /** Kept when the subscription is closed, broken with a HubError when the hub refuses it for good. */
  readonly closed: Promise<void>;
  close(): void;
}

export function subscribe(options: SubscribeOptions): Subscription;

export interface PublishOptions {
  hub: string | URL;
  /** The topic; of several, the first is the canonical one. */
  topic: string | string[];
  data?: string;
  private?: boolean;
  id?: string;
  type?: string;
  /** The reconnection time for those who receive the update, in milliseconds. */
  retry?: number;
  token?: TokenSource;
  credentials?: RequestCredentials;
  signal?: AbortSignal;
}

/** Publishes an update and returns its id. Nothing is tried again but a refused token. */
export function publish(options: PublishOptions): Promise<string>;

export interface Discovery {
  hub: string;
  /** The canonical URL of the resource. */
  topic: string;
  /** The newest event that the resource takes into account; empty if it does not say. */
  lastEventID: string;
  contentType: string;
  /** The type of the resource's events. */
  type: string;
}

/**
 * Reads the hub and the cursor from a response's Link headers; null if it names no hub that is trusted, which those of the
 * response's own origin are, and of the origins that are listed.
 */
export function discover(response: Response, options?: { origins?: string[] }): Discovery | null;

/** An answer of the hub that is no stream and no receipt. */
export class HubError extends Error {
  constructor(message: string, status: number, final?: boolean, retryAfter?: number);
  status: number;
  /** True if the same request would be refused again. */
  final: boolean;
  /** How long the hub asked to wait, in milliseconds. */
  retryAfter: number;
}

/** A parser of text/event-stream for streams of your own. */
export class Parser {
  constructor(lastEventID?: string);
  lastEventID: string;
  retry: number | null;
  push(piece: string | Uint8Array): HubEvent[];
}
