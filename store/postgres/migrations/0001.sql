-- Version 1.
--
-- Names, values, addresses and ids are bytes of any kind, so they are bytea: nothing depends on the encoding of the database,
-- and they are ordered bytewise. SET bytea_output = 'escape' makes them readable in psql; kind = 'chat' works as it is.
--
-- Times are microseconds since 1970: to_timestamp(wake / 1e6). Wakes are by the clocks of the owners, all others by that of
-- the database. Durations are nanoseconds.

CREATE FUNCTION @schema@.clock() RETURNS bigint LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- Owners. The row of one that has left stays, as gone, until no room refers to it: so leaving costs the same with however
-- many rooms. They are few, and always read as a whole.
CREATE TABLE @schema@.owners (
	n       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- how rooms refer to it; in the order of joining
	id      bytea   NOT NULL UNIQUE,
	addr    bytea   NOT NULL,
	props   bytea[] NOT NULL, -- names and values in turn
	ttl     bigint  NOT NULL,
	joined  bigint  NOT NULL,
	expires bigint,           -- when the lease ends; null: never
	lapses  bigint  GENERATED ALWAYS AS (expires + ttl / 5000) STORED, -- when others may take its rooms: a fifth of ttl later
	gone    boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- Rooms. A save updates the row of each room and no index, unless it changes wake or linger, or releases the room: so most of
-- them are HOT as long as the page has space, which is what fillfactor is for.
--
-- The part called "state" is in the row, which has to be written anyway: that saves a third of the work of a save that
-- changes nothing else.
CREATE TABLE @schema@.rooms (
	id      bigint NOT NULL,           -- by which parts and logs refer to it: its first epoch, so never used twice
	epoch   bigint NOT NULL,
	owner   bigint NOT NULL,           -- a row of owners, always; or 0: nobody
	number  bigint NOT NULL DEFAULT 0, -- of the latest batch of this epoch
	wake    bigint,
	linger  bigint NOT NULL DEFAULT 0,
	updated bigint,
	kind    bytea  NOT NULL,
	name    bytea  NOT NULL,
	state   bytea
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- The only index that covers all rooms, see save.
CREATE UNIQUE INDEX rooms_key ON @schema@.rooms (kind, name);
-- What is due, in order: rooms that nobody has are those of owner 0.
CREATE INDEX rooms_wake ON @schema@.rooms (owner, wake) WHERE wake IS NOT NULL;
CREATE INDEX rooms_linger ON @schema@.rooms (owner, linger) WHERE owner <> 0;

CREATE TABLE @schema@.parts (
	room bigint NOT NULL,
	part bytea  NOT NULL,
	data bytea  NOT NULL,
	PRIMARY KEY (room, part)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Records are appended and trimmed, hardly ever updated.
CREATE TABLE @schema@.logs (
	room bigint NOT NULL,
	seq  bigint NOT NULL,
	log  bytea  NOT NULL,
	data bytea  NOT NULL,
	PRIMARY KEY (room, log, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- lz4 is several times cheaper than what Postgres takes otherwise. A server that was built without it keeps that.
DO $$
BEGIN
	ALTER TABLE @schema@.rooms ALTER state SET COMPRESSION lz4;
	ALTER TABLE @schema@.parts ALTER data SET COMPRESSION lz4;
	ALTER TABLE @schema@.logs ALTER data SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
	NULL;
END $$;

-- The last epoch that was given. It is not transactional, which is what is wanted: an epoch is never given back.
CREATE SEQUENCE @schema@.epochs MINVALUE 0 START 0;

-- next_epoch gives an epoch above all that were given before, above another, and not below the clock. The last makes it
-- right after a restored backup, whose sequence is behind.
--
-- A sequence has no operation that raises it to a value, so that is done under a lock. To be held until the transaction ends,
-- as locks are, would make all Acquires wait for one another's commits. So it is taken in a subtransaction that is then
-- rolled back: that frees it at once, whatever happens, while the sequence and variables stay as they are.
CREATE FUNCTION @schema@.next_epoch(above bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	epoch bigint;
BEGIN
	BEGIN
		PERFORM pg_advisory_xact_lock(hashtextextended('socka: epochs of @schema@', 0));
		SELECT greatest(last_value + 1, above + 1, @schema@.clock()) INTO STRICT epoch FROM @schema@.epochs;
		PERFORM setval('@schema@.epochs', epoch);
		RAISE SQLSTATE 'SOCKA';
	EXCEPTION WHEN SQLSTATE 'SOCKA' THEN
		RETURN epoch;
	END;
END $$;

-- acquire makes an owner the one of a room, under a new epoch. It says 'lapsed' if there is no such owner, and 'held' if
-- another owner has the room, which it then describes.
CREATE FUNCTION @schema@.acquire(by_id bytea, room_kind bytea, room_name bytea, OUT outcome text, OUT holder @schema@.owners)
LANGUAGE plpgsql AS $$
DECLARE
	me   @schema@.owners;
	room record;
BEGIN
	SELECT * INTO me FROM @schema@.owners o WHERE o.id = by_id AND NOT o.gone;
	IF FOUND AND me.lapses < @schema@.clock() THEN
		-- forget might be about to take it away.
		SELECT * INTO me FROM @schema@.owners o WHERE o.id = by_id AND NOT o.gone FOR KEY SHARE;
	END IF;
	IF NOT FOUND THEN
		outcome := 'lapsed';
		RETURN;
	END IF;
	LOOP
		-- The first time without a lock, so that a refusal writes nothing.
		SELECT r.owner INTO room FROM @schema@.rooms r WHERE r.kind = room_kind AND r.name = room_name;
		IF FOUND THEN
			SELECT * INTO holder FROM @schema@.owners o
			WHERE o.n = room.owner AND o.n <> me.n AND NOT o.gone AND (o.lapses IS NULL OR o.lapses > @schema@.clock());
			IF FOUND THEN
				outcome := 'held';
				RETURN;
			END IF;
			SELECT r.owner, r.epoch INTO room FROM @schema@.rooms r
			WHERE r.kind = room_kind AND r.name = room_name AND r.owner = room.owner FOR UPDATE;
			IF FOUND THEN
				UPDATE @schema@.rooms r SET owner = me.n, epoch = @schema@.next_epoch(r.epoch), number = 0
				WHERE r.kind = room_kind AND r.name = room_name;
				RETURN;
			END IF;
			-- It has changed hands just now.
		ELSE
			INSERT INTO @schema@.rooms AS r (id, epoch, owner, kind, name)
			SELECT e, e, me.n, room_kind, room_name FROM @schema@.next_epoch(0) e
			ON CONFLICT (kind, name) DO NOTHING;
			IF FOUND THEN
				RETURN;
			END IF;
			-- Somebody else has made it just now.
		END IF;
	END LOOP;
END $$;

-- save carries out batches, one for each of any number of rooms. The i-th elements of the arrays named after rooms belong to
-- batch i. All others come as arrays of which each element belongs to the batch in the first of them.
--
-- flags: 1 release, 2 remove, 4 leave wake and linger as they are, 8 delete the state. A number of 0 is not checked; a wake of
-- the greatest bigint is none; a state of null is left as it is.
--
-- It says which batches failed, and what epoch and number their rooms have (null: there is no such room); and the earliest
-- wake of the rooms that it has left to nobody.
--
-- What makes it right:
--   - The update of rooms checks and locks. All that follows concerns only rooms that it has locked, and sees what was
--     committed before, since each statement has its own snapshot. That takes READ COMMITTED, which the caller sees to.
--   - Two calls that have rooms in common lock them in the same order, that of their keys, so they cannot deadlock: the caller
--     has sorted the batches, and the update looks them up one after the other.
--
-- Why it looks them up, whatever the planner believes: x = ANY (ARRAY[y]) is an equality by which an index can be searched, but
-- no join can be merged or hashed. So all there is are nested loops over the index, or over the whole table, and sessions of
-- this package have switched off the latter. Written as x = y, a plan made while there were few rooms would read all of them
-- in the order of the index, and would be kept when there are a million.
CREATE FUNCTION @schema@.save(
	kinds bytea[], names bytea[], epochs bigint[], numbers bigint[], flags integer[], wakes bigint[], lingers bigint[], states bytea[],
	delete_i integer[], delete_part bytea[],
	put_i integer[], put_part bytea[], put_data bytea[],
	trim_i integer[], trim_log bytea[], trim_to bigint[],
	append_i integer[], append_log bytea[], append_seq bigint[], append_data bytea[],
	OUT failed integer[], OUT failed_epochs bigint[], OUT failed_numbers bigint[], OUT soonest bigint
) LANGUAGE plpgsql AS $$
DECLARE
	now   bigint := @schema@.clock();
	total integer := cardinality(kinds);
	done  bigint[]; -- the batches that were carried out
	found bigint[]; -- the ids of their rooms
	ids   bigint[]; -- the id of the room of batch i, null if that failed
	gone  bigint[]; -- the rooms to remove
BEGIN
	WITH saved AS (
		UPDATE @schema@.rooms r SET
			owner = CASE WHEN b.flags & 1 <> 0 THEN 0 ELSE r.owner END,
			number = CASE WHEN b.number = 0 THEN r.number ELSE b.number END,
			wake = CASE WHEN b.flags & 4 <> 0 THEN r.wake ELSE nullif(b.wake, 9223372036854775807) END,
			linger = CASE WHEN b.flags & 4 <> 0 THEN r.linger ELSE b.linger END,
			state = CASE WHEN b.state IS NOT NULL THEN b.state WHEN b.flags & 8 <> 0 THEN NULL ELSE r.state END,
			updated = now
		FROM unnest(kinds, names, epochs, numbers, flags, wakes, lingers, states) WITH ORDINALITY
			AS b (kind, name, epoch, number, flags, wake, linger, state, i)
		WHERE r.kind = ANY (ARRAY[b.kind]) AND r.name = ANY (ARRAY[b.name])
			AND r.epoch = b.epoch AND (b.number = 0 OR r.number <= b.number)
		RETURNING b.i, r.id, CASE WHEN r.owner = 0 THEN r.wake END AS wake, b.flags & 2 <> 0 AS remove
	)
	SELECT array_agg(i ORDER BY i), array_agg(id ORDER BY i), min(wake) FILTER (WHERE NOT remove), array_agg(id) FILTER (WHERE remove)
	INTO done, found, soonest, gone FROM saved;

	IF cardinality(done) = total THEN
		ids := found;
	ELSE
		ids := array_fill(NULL::bigint, ARRAY[total]);
		FOR k IN 1 .. coalesce(cardinality(done), 0) LOOP
			ids[done[k]] := found[k];
		END LOOP;
		SELECT array_agg(b.i), array_agg(r.epoch), array_agg(r.number) INTO failed, failed_epochs, failed_numbers
		FROM unnest(kinds, names) WITH ORDINALITY AS b (kind, name, i)
		LEFT JOIN @schema@.rooms r ON r.kind = ANY (ARRAY[b.kind]) AND r.name = ANY (ARRAY[b.name])
		WHERE ids[b.i] IS NULL;
	END IF;

	IF cardinality(delete_i) > 0 THEN
		DELETE FROM @schema@.parts p USING unnest(delete_i, delete_part) AS b (i, part)
		WHERE p.room = ANY (ARRAY[ids[b.i]]) AND p.part = ANY (ARRAY[b.part]);
	END IF;
	IF cardinality(put_i) > 0 THEN
		INSERT INTO @schema@.parts AS p (room, part, data)
		SELECT ids[b.i], b.part, b.data FROM unnest(put_i, put_part, put_data) AS b (i, part, data) WHERE ids[b.i] IS NOT NULL
		ON CONFLICT (room, part) DO UPDATE SET data = excluded.data;
	END IF;
	IF cardinality(trim_i) > 0 THEN
		DELETE FROM @schema@.logs l USING unnest(trim_i, trim_log, trim_to) AS b (i, log, upto)
		WHERE l.room = ANY (ARRAY[ids[b.i]]) AND l.log = ANY (ARRAY[b.log]) AND l.seq <= b.upto;
	END IF;
	IF cardinality(append_i) > 0 THEN
		INSERT INTO @schema@.logs AS l (room, log, seq, data)
		SELECT ids[b.i], b.log, b.seq, b.data FROM unnest(append_i, append_log, append_seq, append_data) AS b (i, log, seq, data)
		WHERE ids[b.i] IS NOT NULL
		ON CONFLICT (room, log, seq) DO UPDATE SET data = excluded.data;
	END IF;
	IF gone IS NOT NULL THEN
		DELETE FROM @schema@.parts p WHERE p.room = ANY (gone);
		DELETE FROM @schema@.logs l WHERE l.room = ANY (gone);
		DELETE FROM @schema@.rooms r USING unnest(kinds, names, epochs, flags) AS b (kind, name, epoch, flags)
		WHERE r.kind = ANY (ARRAY[b.kind]) AND r.name = ANY (ARRAY[b.name])
		AND r.epoch = b.epoch AND b.flags & 2 <> 0 AND r.id = ANY (gone);
	END IF;
END $$;

-- forget takes away the rows of owners that left, or lapsed, before certain times well past, and that no room refers to. The
-- rows are locked first and the rooms looked at afterwards, so that a late Acquire at the same time is either seen or refused.
CREATE FUNCTION @schema@.forget(left_before bigint, lapsed_before bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	old bigint[];
BEGIN
	old := ARRAY(
		SELECT o.n FROM @schema@.owners o WHERE o.lapses < CASE WHEN o.gone THEN left_before ELSE lapsed_before END
		ORDER BY o.n FOR UPDATE SKIP LOCKED
	);
	DELETE FROM @schema@.owners o WHERE o.n = ANY (old) AND NOT EXISTS (
		SELECT FROM @schema@.rooms r WHERE r.owner = o.n AND r.owner <> 0 OFFSET 0 -- looked up for each, not joined
	);
END $$;
