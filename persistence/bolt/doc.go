// Package bolt is the log in one bbolt file: durable, on one node, held by one process.
//
// The file has three buckets. "events" holds one record per event under its position as 8 big-endian
// bytes, so commits touch only the right edge of its tree and removals only the left. "ids" holds the
// runs: sorted pairs of id digest and position for the ids that publishers chose, each under the last
// position it covers. "meta" holds the format, the keys made with the file, and the state: the extent
// of the log, its size and how far the runs reach. One append is one transaction over all three.
//
// Ids that the hub made are encrypted positions and need no index. Ids that publishers chose would put
// random pages into every commit if they were keys; instead the newest pairs stay in memory and every
// few thousand are written as one sorted run. What is in memory is rebuilt at Open from the events
// after the last run.
//
// A file is believed only after a look. bbolt maps it, and a page that is damaged, or is not there
// because the file was cut off, ends the process on a goroutine of bbolt's own. So Open first reads every
// page as bytes (tree, inspect) and refuses a file that is not sound; Verify, Export and Compact go by the
// same reader. Each record has a checksum of its own. One that cannot be read in a file that is sound
// otherwise costs no more than itself: Options.Damaged is told once, readers pass over it, retention
// removes it, and its id, if a stream resumes from it, still leads to its place.
//
// The package starts no goroutine. Append has one caller at a time; all else may be called from
// anywhere. Reads of recent events come from the feed's ring and take no lock; the others are short
// bbolt read transactions that copy a page out of the file and end. Neither waits for a commit's sync.
//
// Invariants: positions after state.before up to state.head are in "events", each once. Positions up
// to state.before do not exist for readers; their records are removed a few hundred at a time, at the
// latest at the next Open. Every pair of a chosen id above state.before is in a run or in memory.
//
// Caveats: the file does not shrink by itself, pages that retention frees are used again; Compact
// rewrites it. The whole file is read at Open, also because the list of free pages is not stored. After a
// panic inside bbolt (a file damaged under our feet) the log refuses to append and the file stays locked
// until the process ends. A disk that refuses a write to a file that was also damaged since Open can
// still end the process: bbolt then looks for the free pages on a goroutine where nobody can catch what
// comes of it.
package bolt
