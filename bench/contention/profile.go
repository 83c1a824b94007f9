package contention

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// ErrProfile is wrapped when a profile cannot be read, or is none of contention.
var ErrProfile = errors.New("not a profile of contention")

// maxDepth is how many functions of a stack a site names.
const maxDepth = 6

// Profile is what a mutex or a block profile says.
type Profile struct {
	// Path is the time of all waits on the path. Other is that of waits for locks elsewhere, but for those
	// inside the runtime; waits for channels elsewhere are how goroutines get their work.
	Path, Other time.Duration
	// Sites are the places on the path, the longest waits first.
	Sites []Site
	// Samples is how many stacks the profile has, of any kind.
	Samples int
}

// Regular returns the time of the waits on the path at sites that had at least so many. A lock that is held for
// a few instructions is now and then met while its holder has lost the processor, for milliseconds; a
// lock in the way of deliveries is met all the time.
func (p *Profile) Regular(waits int64) time.Duration {
	var sum time.Duration
	for _, s := range p.Sites {
		if s.Waits >= waits {
			sum += s.Delay
		}
	}
	return sum
}

// Site is a place where goroutines waited or held what others waited for.
type Site struct {
	// Stack names functions from the wait outwards, as far as that helps to find the place.
	Stack string
	Waits int64
	Delay time.Duration
}

func (s Site) String() string { return fmt.Sprintf("%s in %d waits: %s", s.Delay, s.Waits, s.Stack) }

// Parse reads a profile as a Go process writes it.
func Parse(data []byte) (*Profile, error) {
	raw, err := profile.ParseData(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	count, delay := -1, -1
	for i, t := range raw.SampleType {
		switch t.Type {
		case "contentions":
			count = i
		case "delay":
			delay = i
		}
	}
	if count < 0 || delay < 0 {
		return nil, fmt.Errorf("%w: it has no delays", ErrProfile)
	}
	p := &Profile{Samples: len(raw.Sample)}
	sites := make(map[string]*Site)
	for _, sample := range raw.Sample {
		p.add(sites, functions(sample), sample.Value[count], time.Duration(sample.Value[delay]))
	}
	for _, site := range sites {
		p.Sites = append(p.Sites, *site)
	}
	slices.SortFunc(p.Sites, func(a, b Site) int {
		if d := b.Delay - a.Delay; d != 0 {
			return int(max(-1, min(d, 1)))
		}
		return strings.Compare(a.Stack, b.Stack)
	})
	return p, nil
}

func (p *Profile) add(sites map[string]*Site, stack []string, waits int64, delay time.Duration) {
	switch place := onPath(stack); {
	case len(stack) == 0 || insideRuntime(stack):
		return
	case place == "":
		if isLock(stack[0]) {
			p.Other += delay
		}
		return
	}
	p.Path += delay
	name := strings.Join(stack[:min(len(stack), maxDepth)], " < ")
	if sites[name] == nil {
		sites[name] = &Site{Stack: name}
	}
	sites[name].Waits += waits
	sites[name].Delay += delay
}

// insideRuntime reports whether a stack is that of a lock of the runtime itself, which ends in the function
// that gives it back.
func insideRuntime(stack []string) bool {
	return strings.HasPrefix(stack[0], "runtime.unlock") || strings.HasPrefix(stack[0], "runtime._LostContended")
}

// functions returns the names in a sample's stack, the innermost first.
func functions(sample *profile.Sample) []string {
	var names []string
	for _, location := range sample.Location {
		for _, line := range location.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}
