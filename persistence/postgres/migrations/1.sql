-- The keys of the store, made with it.
CREATE TABLE {schema}.store (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	id_key  bytea NOT NULL,
	created timestamptz NOT NULL DEFAULT now()
);

-- Where the history ends and begins. Whoever appends holds this row until the commit.
CREATE TABLE {schema}.head (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	head    bigint NOT NULL DEFAULT 0, -- position of the newest event
	before  bigint NOT NULL DEFAULT 0, -- position before the oldest retained event
	purged  bigint NOT NULL DEFAULT 0, -- rows up to this position are deleted
	bytes   bigint NOT NULL DEFAULT 0, -- size of all events up to head, ever
	gone    bigint NOT NULL DEFAULT 0, -- size of all events up to before, ever
	newest  bigint NOT NULL DEFAULT 0, -- time of the newest event, Unix nanoseconds
	last_id text   NOT NULL DEFAULT '', -- id of the newest event
	-- A publisher has chosen an id that the hub makes, once at least: ids cannot be told apart by their looks.
	borrowed boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO {schema}.head DEFAULT VALUES;

-- The events. Rows are inserted, never updated, and deleted from the oldest on.
CREATE TABLE {schema}.events (
	position    bigint      PRIMARY KEY,
	time        timestamptz NOT NULL, -- when the hub accepted it, cut to microseconds
	nanoseconds bigint      NOT NULL, -- the same exactly, Unix nanoseconds
	bytes       bigint      NOT NULL, -- size of all events up to this one, ever
	frame       integer     NOT NULL, -- length of the event as it goes over the wire
	own_id      boolean     NOT NULL, -- the publisher chose the id
	private     boolean     NOT NULL,
	id          text        COLLATE "C" NOT NULL,
	topics      text[]      NOT NULL,
	type        text,
	retry       text,
	data        text,                 -- null where raw is not
	raw         bytea                 -- data that no column of text can hold, because of a NUL
) WITH (
	-- A history at its bound is replaced again and again: as many rows are deleted as inserted.
	autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_scale_factor = 0.05,
	autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0
);
-- Ids may be longer than an index entry.
CREATE INDEX events_own_id ON {schema}.events (hashtextextended(id, 0), position) WHERE own_id;

-- Events that are dated before their predecessor; see persistence.Setbacks. Positions and times ascend together.
CREATE TABLE {schema}.setbacks (
	position    bigint PRIMARY KEY,
	nanoseconds bigint NOT NULL
);
CREATE INDEX setbacks_nanoseconds ON {schema}.setbacks (nanoseconds);

-- The last batch of each hub, to tell whether one whose answer was lost is stored.
CREATE TABLE {schema}.writers (
	writer   uuid        PRIMARY KEY,
	sequence bigint      NOT NULL,
	first    bigint      NOT NULL, -- position of the batch's first event
	seen     timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- What hubs tell each other beside the log.
CREATE TABLE {schema}.boards (
	board    text   COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE {schema}.board_entries (
	board  text  COLLATE "C" NOT NULL,
	holder text  COLLATE "C" NOT NULL,
	key    text  COLLATE "C" NOT NULL,
	value  bytea NOT NULL,
	PRIMARY KEY (board, holder, key)
);
CREATE TABLE {schema}.board_leases (
	board  text        COLLATE "C" NOT NULL,
	holder text        COLLATE "C" NOT NULL,
	ends   timestamptz NOT NULL,
	PRIMARY KEY (board, holder)
) WITH (fillfactor = 50);

-- The history for people: exactly what is retained, whatever rows are still to be deleted.
CREATE VIEW {schema}.history AS
	SELECT e.position, e.time, e.id, e.own_id, e.topics, e.private, e.type, e.retry, e.data, e.raw, e.nanoseconds
	FROM {schema}.events e, {schema}.head h
	WHERE e.position > h.before;

-- append stores a batch at p_first, applies the retention and wakes the others, while it holds the head. Without events it
-- only notes the sequence, so that an earlier batch that is still under way cannot be stored any more, and applies the
-- retention if it is asked to.
--
-- Nothing is stored, and o_stored is false, where the next position is not p_first. A batch that is stored already is not
-- stored again.
CREATE FUNCTION {schema}.append(
	p_writer uuid, p_sequence bigint, p_first bigint, p_now bigint,
	p_ids text[], p_own boolean[], p_private boolean[], p_topics text[], p_types text[], p_retries text[],
	p_data text[], p_raw bytea[], p_frames integer[], p_bytes bigint[], p_borrowed boolean,
	p_retain boolean, p_max_events bigint, p_max_age bigint, p_max_bytes bigint,
	OUT o_stored boolean, OUT o_first bigint, OUT o_before bigint, OUT o_head bigint, OUT o_purged bigint, OUT o_last_id text
) LANGUAGE plpgsql AS $$
DECLARE
	h        {schema}.head;
	w        {schema}.writers;
	n        bigint := coalesce(cardinality(p_ids), 0);
	v_before bigint;
	v_found  bigint;
	v_purged bigint;
BEGIN
	SELECT * INTO h FROM {schema}.head FOR UPDATE;
	o_stored := false;
	o_first := h.head + 1;
	o_before := h.before;
	o_head := h.head;
	o_purged := h.purged;
	o_last_id := h.last_id;
	IF p_writer IS NOT NULL THEN
		SELECT * INTO w FROM {schema}.writers WHERE writer = p_writer;
		IF FOUND AND w.sequence >= p_sequence THEN
			IF n > 0 THEN
				o_stored := w.sequence = p_sequence;
				o_first := w.first;
			END IF;
			RETURN;
		END IF;
	END IF;
	IF n > 0 AND p_first <> h.head + 1 THEN
		RETURN;
	END IF;
	IF p_writer IS NOT NULL THEN
		INSERT INTO {schema}.writers VALUES (p_writer, p_sequence, h.head + 1, clock_timestamp())
		ON CONFLICT (writer) DO UPDATE SET sequence = EXCLUDED.sequence, first = EXCLUDED.first, seen = EXCLUDED.seen;
	END IF;
	IF n > 0 THEN
		INSERT INTO {schema}.events (position, time, nanoseconds, bytes, frame, own_id, private, id, topics, type, retry, data, raw)
		SELECT h.head + e.i, timestamptz 'epoch' + p_now / 1000 * interval '1 microsecond', p_now, h.bytes + e.size, e.frame,
			e.own_id, e.private, e.id, string_to_array(e.topics, E'\n'), nullif(e.type, ''), nullif(e.retry, ''),
			CASE WHEN e.raw IS NULL THEN e.data END, e.raw
		FROM unnest(p_ids, p_own, p_private, p_topics, p_types, p_retries, p_data, p_raw, p_frames, p_bytes)
			WITH ORDINALITY AS e (id, own_id, private, topics, type, retry, data, raw, frame, size, i);
		IF p_now < h.newest THEN
			DELETE FROM {schema}.setbacks WHERE nanoseconds >= p_now;
			INSERT INTO {schema}.setbacks VALUES (h.head + 1, p_now);
		END IF;
		h.head := h.head + n;
		h.bytes := h.bytes + p_bytes[n];
		h.newest := p_now;
		h.last_id := p_ids[n];
	END IF;

	v_before := h.before;
	IF p_retain THEN
		IF p_max_events > 0 THEN
			v_before := greatest(v_before, h.head - p_max_events);
		END IF;
		IF p_max_age > 0 AND v_before < h.head THEN
			-- Where an event has come of age, so have all before it.
			SELECT position INTO v_found FROM {schema}.setbacks
			WHERE nanoseconds < p_now - p_max_age ORDER BY nanoseconds DESC LIMIT 1;
			v_before := greatest(v_before, v_found);
			SELECT position INTO v_found FROM {schema}.events
			WHERE position > v_before AND nanoseconds >= p_now - p_max_age ORDER BY position LIMIT 1;
			v_before := coalesce(v_found - 1, h.head);
		END IF;
		IF p_max_bytes > 0 AND h.head - v_before > 1 AND h.bytes - h.gone > p_max_bytes THEN
			SELECT position INTO v_found FROM {schema}.events
			WHERE position >= v_before AND position > h.before AND bytes >= h.bytes - p_max_bytes ORDER BY position LIMIT 1;
			v_before := greatest(v_before, least(v_found, h.head - 1));
		END IF;
	END IF;
	IF v_before > h.before THEN
		SELECT bytes INTO h.gone FROM {schema}.events WHERE position = v_before;
		DELETE FROM {schema}.setbacks WHERE position > h.before AND position <= v_before;
	END IF;

	-- Rows go a few hundred at a time, and no more than so many, for a commit must not take long when a great age ends at
	-- once. They go when readers have heard that they are not retained any more, so not those of this batch.
	v_purged := h.purged;
	IF p_retain AND (h.before - h.purged >= 256 OR n = 0) AND h.before > h.purged THEN
		v_purged := least(h.before, h.purged + greatest(4096, 2 * n));
		DELETE FROM {schema}.events WHERE position > h.purged AND position <= v_purged;
	END IF;

	UPDATE {schema}.head SET head = h.head, before = v_before, purged = v_purged, bytes = h.bytes, gone = h.gone,
		newest = h.newest, last_id = h.last_id, borrowed = h.borrowed OR p_borrowed;
	IF n > 0 OR v_before > h.before THEN
		-- The payload only spares those who have the events already the look.
		PERFORM pg_notify({channel}, CASE WHEN n > 0 THEN h.head::text ELSE '' END);
	END IF;
	o_stored := true;
	o_before := v_before;
	o_head := h.head;
	o_purged := v_purged;
	o_last_id := h.last_id;
	IF n = 0 THEN
		o_first := h.head + 1;
	END IF;
END
$$;

-- hold_board makes everyone else who changes the board wait until the commit.
CREATE FUNCTION {schema}.hold_board(p_board text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO {schema}.boards VALUES (p_board, 0) ON CONFLICT DO NOTHING;
	PERFORM FROM {schema}.boards WHERE board = p_board FOR UPDATE;
END
$$;

CREATE FUNCTION {schema}.board_put(p_board text, p_holder text, p_keys text[], p_values bytea[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM {schema}.hold_board(p_board);
	INSERT INTO {schema}.board_entries AS b
	SELECT DISTINCT ON (e.key) p_board, p_holder, e.key, e.value
	FROM unnest(p_keys, p_values) WITH ORDINALITY AS e (key, value, i) ORDER BY e.key, e.i DESC
	ON CONFLICT (board, holder, key) DO UPDATE SET value = EXCLUDED.value WHERE b.value <> EXCLUDED.value;
	GET DIAGNOSTICS n = ROW_COUNT;
	UPDATE {schema}.boards SET revision = revision + 1 WHERE board = p_board AND n > 0;
END
$$;

CREATE FUNCTION {schema}.board_delete(p_board text, p_holder text, p_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM {schema}.hold_board(p_board);
	DELETE FROM {schema}.board_entries WHERE board = p_board AND holder = p_holder AND key = ANY (p_keys);
	GET DIAGNOSTICS n = ROW_COUNT;
	UPDATE {schema}.boards SET revision = revision + 1 WHERE board = p_board AND n > 0;
END
$$;

-- board_renew takes no hold of the board: the lease's row is enough, and adopters delete it.
CREATE FUNCTION {schema}.board_renew(p_board text, p_holder text, p_milliseconds bigint) RETURNS boolean LANGUAGE sql AS $$
	INSERT INTO {schema}.board_leases AS l VALUES (p_board, p_holder, clock_timestamp() + p_milliseconds * interval '1 millisecond')
	ON CONFLICT (board, holder) DO UPDATE SET ends = clock_timestamp() + p_milliseconds * interval '1 millisecond'
	RETURNING l.xmax <> 0
$$;

CREATE FUNCTION {schema}.board_adopt(p_board text, p_heir text)
RETURNS TABLE (o_holder text, o_key text, o_value bytea) LANGUAGE plpgsql AS $$
DECLARE
	v_ended text[];
BEGIN
	PERFORM {schema}.hold_board(p_board);
	WITH ended AS (
		DELETE FROM {schema}.board_leases WHERE board = p_board AND holder <> p_heir AND ends < clock_timestamp() RETURNING holder
	) SELECT array_agg(holder) INTO v_ended FROM ended;
	IF v_ended IS NULL THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT holder, key, value FROM {schema}.board_entries WHERE board = p_board AND holder = ANY (v_ended);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO {schema}.board_entries AS b
	SELECT DISTINCT ON (key) p_board, p_heir, key, value
	FROM {schema}.board_entries WHERE board = p_board AND holder = ANY (v_ended) ORDER BY key
	ON CONFLICT (board, holder, key) DO UPDATE SET value = EXCLUDED.value;
	DELETE FROM {schema}.board_entries WHERE board = p_board AND holder = ANY (v_ended);
	UPDATE {schema}.boards SET revision = revision + 1 WHERE board = p_board;
END
$$;

CREATE FUNCTION {schema}.board_drop(p_board text, p_holder text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	m bigint;
BEGIN
	PERFORM {schema}.hold_board(p_board);
	DELETE FROM {schema}.board_leases WHERE board = p_board AND holder = p_holder;
	GET DIAGNOSTICS n = ROW_COUNT;
	DELETE FROM {schema}.board_entries WHERE board = p_board AND holder = p_holder;
	GET DIAGNOSTICS m = ROW_COUNT;
	UPDATE {schema}.boards SET revision = revision + 1 WHERE board = p_board AND n + m > 0;
END
$$;
