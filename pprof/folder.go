package pprof

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// errTooLarge is wrapped by the error of a snapshot that does not fit.
var errTooLarge = errors.New("larger than all snapshots may be")

// folder is a directory of snapshots. An episode is up to four files:
//
//	hubd-20260102T150405Z-heap-inside-goroutine.pb.gz
//
// the time and the kind of the episode, whether the profile is of before or of the trigger, and what it is a profile of.
// Files of other names are not touched.
type folder struct {
	path string
	// max bounds the bytes of all snapshots.
	max int64
}

// openFolder makes the directory. Profiles tell how a program works, so it is its owner's alone.
func openFolder(path string, limit int64) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the watchdog: %w; choose another watchdog-dir", err)
	}
	return &folder{path: path, max: limit}, nil
}

// stamp begins the names of an episode's files. Names in order are episodes in order.
func stamp(at time.Time, cause kind) string {
	return "hubd-" + at.UTC().Format("20060102T150405Z") + "-" + cause.String()
}

// file returns the path of the profile of a kind in an episode, empty if the pair was never taken.
func (f *folder) file(at time.Time, cause kind, p *pair, of kind) string {
	if p.at.IsZero() {
		return ""
	}
	side := "outside"
	if p.at.Before(at) {
		side = "inside"
	}
	return filepath.Join(f.path, stamp(at, cause)+"-"+side+"-"+of.String()+".pb.gz")
}

// write stores an episode that began when now was taken, and removes the oldest others to make room for it.
func (f *folder) write(cause kind, now, inside *pair) error {
	var size int64
	files := map[string][]byte{}
	for _, p := range []*pair{now, inside} {
		for of, content := range p.profiles {
			if name := f.file(now.at, cause, p, kind(of)); name != "" {
				files[name] = content
				size += int64(len(content))
			}
		}
	}
	if size > f.max {
		return fmt.Errorf("store %d bytes of snapshots in %s: %w; raise watchdog-max-bytes", size, f.path, errTooLarge)
	}
	if err := f.trim(f.max - size); err != nil {
		return err
	}
	for name, content := range files {
		// Under its name a profile is whole: a reader may come at any time, and so may the end of the process.
		if err := os.WriteFile(name+".part", content, 0o600); err != nil {
			return fmt.Errorf("store a snapshot: %w", err)
		}
		if err := os.Rename(name+".part", name); err != nil {
			return fmt.Errorf("store a snapshot: %w", err)
		}
	}
	return nil
}

// trim removes the oldest episodes until the rest is within the limit.
func (f *folder) trim(limit int64) error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	pattern := regexp.MustCompile(`^(hubd-\d{8}T\d{6}Z-(?:goroutine|heap))-(?:inside|outside)-(?:goroutine|heap)\.pb\.gz(?:\.part)?$`)
	var total int64
	var episodes []string // in order, as ReadDir sorts by name
	sizes, files := map[string]int64{}, map[string][]string{}
	for _, entry := range entries {
		match := pattern.FindStringSubmatch(entry.Name())
		if match == nil || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by somebody else
		}
		if err != nil {
			return fmt.Errorf("list the snapshots: %w", err)
		}
		episode := match[1]
		if files[episode] == nil {
			episodes = append(episodes, episode)
		}
		files[episode] = append(files[episode], entry.Name())
		sizes[episode] += info.Size()
		total += info.Size()
	}
	for _, episode := range episodes {
		if total <= limit {
			return nil
		}
		for _, name := range files[episode] {
			if err := os.Remove(filepath.Join(f.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove an old snapshot: %w", err)
			}
		}
		total -= sizes[episode]
	}
	return nil
}
