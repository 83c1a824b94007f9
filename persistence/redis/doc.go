// Package redis is the log on a Redis or Valkey server (6.2 or later), shared by all nodes that open it.
//
// # Where the engine is
//
//	redis://[user:password@]host[:port][/database]     one server; rediss:// encrypts, with ?ca=FILE for a CA of one's own
//	unix://[user:password@]/path/to/socket[?db=N]      one server on this machine
//	redis://a,b,c[/database]?sentinel=NAME             the master NAME, as the Sentinels at a, b and c know it;
//	                                                   sentinel-user and sentinel-password log in to them
//	redis://a,b,c?cluster=true                         a cluster, of which a, b and c are servers
//
// valkey:// and valkeys:// mean the same as redis:// and rediss://. With any of them, ?prefix=NAME (default "hubd")
// begins the names of the keys, so that several hubs share a server, and ?wait-replicas=N makes an append wait until N
// replicas have it.
//
// # What the engine promises
//
// Order: an append is one script, which nothing else comes between. It places the batch after the newest event, applies
// the retention and stores the batch's sequence number; positions have no gaps and all nodes see one order.
//
// Durability: with appendonly yes and appendfsync always, what was acknowledged survives a crash of the server and of its
// machine. With everysec a crash of the machine costs the last seconds, and without an append-only file a crash of the
// server costs everything since its last snapshot.
//
// Failover: a replica is told of writes after they were acknowledged, so that one which takes over may lack the newest.
// With wait-replicas=N an append is acknowledged when N replicas have it; where the one that takes over is among the most
// advanced, as Sentinel and Cluster see to, nothing acknowledged is lost. Nor does a node show an event before that many
// replicas have it: no stream has had what another finds lost. What that costs is a round trip more for each append, and
// nothing without wait-replicas. All nodes are to have the same N; one without shows what is stored, and what it stores is
// shown by the others when the replicas have it. A node that finds the engine behind what it has seen fills the lost
// positions with events that have no topics, so that none is used again; Options.Lost is told. Where the whole store is
// gone, it is made again with the same key.
//
// Caveats returns what the engine, as it is configured, does not promise. It is to be told maxmemory-policy noeviction,
// which is its default: a full server then refuses appends, which passes when memory is free.
//
// # Keys
//
// All begin with "{prefix}:", which puts them into one slot of a cluster.
//
//	meta      hash: format, name of the store, id key, before, head, bytes of all events ever, last chosen id;
//	          confirmed, sure: position up to which replicas have confirmed all, and the chosen id there
//	log       stream of chunks; see chunk. The id of an entry is the position of its last event, and "-0"
//	wake      stream that holds one entry, without content, with the id of the newest chunk: what nodes wait
//	          for; where replicas are waited for, it comes when they have confirmed
//	ids       sorted set, all scores 0: digest (20 bytes) and position (16 digits) of each chosen id, so that the
//	          earliest position of an id is the first member of a range
//	chosen    list of the same in the order of the positions: what to remove as the history moves on
//	ages      list of time (20 digits) and position, both ascending: up to where the history goes with which time
//	writer:…  sequence number and first position of the last append of a node, for a day
//	mark:…    what a node wrote last to have the replicas confirm all before it, for a day
//	board:…   entries (hash), index (sorted set), leases (sorted set), revision (number) of a board
//
// Positions count up to 2^53, as the numbers of scripts do.
//
// # Appends in doubt
//
// Where the answer of an append does not come, the batch is sent again under its sequence number until the time is over:
// the script stores it once. The next append has a higher number, after which the script refuses the earlier one, even
// where a server that hung finds it in a buffer later. So a batch is stored before the next append has its answer, or never.
//
// # Confirmations
//
// With wait-replicas, an appender whose WAIT was answered notes so in meta, which wakes the nodes; they fetch up to there.
// A replica has everything that came before what it has, so one answer confirms all up to there. The note names what was
// confirmed, by the appender's writer key: a server that took over without it refuses the note. Where an appender dies
// before it leaves the note, the next append confirms its events too, and without one a node does that notices within some
// seconds: it writes a mark and waits for the replicas to have it.
//
// # Goroutines, connections and memory
//
// The follower runs on a goroutine from Open to Close; the driver has its own, which end with Close. A log has one
// connection on which all reads share, one on which the follower waits, and one for each write at a time. Find asks
// the engine nothing while publishers have chosen no ids. The server's memory holds the history: about the bytes of
// frames and topics, and some 10 bytes for each event; 200 more where its publisher chose the id.
//
// Caveats: a server runs a script at a time, so the largest batch is what everyone waits for: some milliseconds. Retention
// by age goes by the clocks of the nodes, which date the events.
package redis
