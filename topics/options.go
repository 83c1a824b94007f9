package topics

import (
	"errors"
	"fmt"

	"github.com/nlnwa/whatwg-url/url"
)

// ErrOptions is wrapped by every error about options that cannot work. The message names the field.
var ErrOptions = errors.New("invalid topics options")

const (
	// defaultMaxPattern is the longest pattern where Options do not say otherwise.
	defaultMaxPattern = 4096
	// minCacheBytes is what the cache's own tables need before it can hold anything useful.
	minCacheBytes = 1 << 20
)

// Options describe the hub for which a Space compiles selectors.
type Options struct {
	// BaseURL is the hub's own URL as clients see it, an absolute http or https URL without query or
	// fragment. Relative patterns and relative topics are resolved against it ("URL Pattern"), and
	// its path is the namespace that only the hub may publish to ("Publication").
	BaseURL string
	// CacheBytes bounds the memory of the selector cache, its own tables included: at least 1 MiB,
	// or 0 for no cache.
	CacheBytes int64
	// MaxPattern is the longest pattern that Compile accepts, in bytes; 0 stands for 4096.
	MaxPattern int
}

// Validate reports the first option that cannot work. Errors wrap ErrOptions.
func (o *Options) Validate() error {
	if _, err := o.base(); err != nil {
		return err
	}
	if o.CacheBytes != 0 && o.CacheBytes < minCacheBytes {
		return fmt.Errorf("%w: CacheBytes is %d, want 0 or at least %d", ErrOptions, o.CacheBytes, minCacheBytes)
	}
	if o.MaxPattern < 0 {
		return fmt.Errorf("%w: MaxPattern is %d, want 0 or more", ErrOptions, o.MaxPattern)
	}
	return nil
}

// base parses BaseURL.
func (o *Options) base() (*url.Url, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("%w: parsing BaseURL %q: %w", ErrOptions, o.BaseURL, err)
	}
	switch {
	case base.Scheme() != "http" && base.Scheme() != "https":
		return nil, fmt.Errorf("%w: BaseURL %q is not an http or https URL", ErrOptions, o.BaseURL)
	case base.Search() != "" || base.Hash() != "":
		return nil, fmt.Errorf("%w: BaseURL %q has a query or a fragment", ErrOptions, o.BaseURL)
	}
	return base, nil
}

// maxPattern returns the longest pattern in bytes.
func (o *Options) maxPattern() int {
	if o.MaxPattern == 0 {
		return defaultMaxPattern
	}
	return o.MaxPattern
}
