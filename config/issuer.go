package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/alecthomas/kong"
)

// issuersKey is the key of the configuration file that holds blocks, one for each issuer.
const issuersKey = "issuers"

// maxIssuers bounds the blocks.
const maxIssuers = 100

// Issuer is a trusted issuer of 1.0 tokens with keys of its own. In the file it is a block of keys that
// are named like the flags.
type Issuer struct {
	// Issuer is the issuer's identifier.
	Issuer string `placeholder:"ISSUER" help:"The iss claim of its tokens."`
	// Publisher is the key that its publishers' tokens are verified with.
	Publisher Key `embed:"" prefix:"publisher-" set:"role=publisher"`
	// Subscriber is the key that its subscribers' tokens are verified with.
	Subscriber Key `embed:"" prefix:"subscriber-" set:"role=subscriber"`
}

// IssuerPrefix returns what stands before the names of an issuer's settings in problems and notes. The
// blocks count from 1.
func IssuerPrefix(index int) string { return fmt.Sprintf("%s[%d].", issuersKey, index+1) }

// block is one block of the file.
type block struct {
	entries []entry
	line    int
}

// blockResolver gives a parser the entries of a block. It serves one parse.
type blockResolver struct {
	path, prefix string
	entries      []entry
	problems     Problems
}

// Validate implements kong.Resolver.
func (r *blockResolver) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: a value that does not fit is noted as a problem and passed over.
func (r *blockResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	i := slices.IndexFunc(r.entries, func(e entry) bool { return e.key == flag.Name })
	if i < 0 {
		return nil, nil
	}
	e := r.entries[i]
	if fault := misfit(flag, e.value); fault != "" {
		r.problems = append(r.problems, Problem{r.prefix + e.key, fmt.Sprintf("%s line %d: %s", r.path, e.line, fault)})
		return nil, nil
	}
	return e.value, nil
}

// readIssuers returns the issuers of the blocks. What makes no sense is left out and reported.
func readIssuers(path string, blocks []block) ([]Issuer, Problems) {
	var problems Problems
	issuers := make([]Issuer, len(blocks))
	for i, b := range blocks {
		r := &blockResolver{path: path, prefix: IssuerPrefix(i), entries: b.entries}
		parser, err := grammar(&issuers[i], kong.Resolvers(r), kong.TypeMapper(reflect.TypeFor[Secret](), kong.MapperFunc(decodeOpaque)))
		if err == nil {
			_, err = parser.Parse(nil)
		}
		if err != nil {
			// The values have been looked at by themselves, so this is about the block as a whole.
			problems = append(problems, Problem{issuersKey, fmt.Sprintf("%s line %d: the block cannot be read", path, b.line)})
			continue
		}
		problems = append(problems, r.problems...)
		keys := flagNames(parser.Model.Flags)
		for _, e := range b.entries {
			if !slices.Contains(keys, e.key) {
				problems = append(problems, Problem{r.prefix + e.key, fmt.Sprintf("%s line %d: no setting of an issuer has this key; %s", path, e.line, advise(e.key, keys))})
			}
		}
	}
	return issuers, problems
}

func flagNames(flags []*kong.Flag) []string {
	names := make([]string, len(flags))
	for i, flag := range flags {
		names[i] = flag.Name
	}
	return names
}
