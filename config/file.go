package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// entry is a key of the configuration file with its value: a string, a []any of strings, or the []block
// of the issuers.
type entry struct {
	key   string
	value any
	line  int
}

// readFile returns the entries of the file in their order. Entries without a value are left out, as
// if they were not there; entries that make no sense are left out and reported.
func readFile(path string) ([]entry, Problems) {
	content, err := readBounded(path)
	if err != nil {
		return nil, Problems{{"config", fmt.Sprintf("cannot read the configuration file: %s; correct the path or create the file", err)}}
	}
	return parseFile(path, content)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than %s", path, Size(maxFile))
	}
	return content, err
}

// parseFile reads the content of the file at path, which is used in messages only.
func parseFile(path string, content []byte) ([]entry, Problems) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, Problems{{"config", path + " is not valid YAML" + syntaxError(err)}}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, Problems{{"config", path + " has more after its first YAML document; keep one document"}}
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, Problems{{"config", path + " does not consist of keys and values; write lines such as \"listen: 127.0.0.1:3000\""}}
	}
	return parseEntries(path, "", root)
}

// parseEntries returns the entries of a mapping. In problems, prefix stands before their names.
func parseEntries(path, prefix string, root *yaml.Node) ([]entry, Problems) {
	var entries []entry
	var problems Problems
	lines := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, node := root.Content[i], root.Content[i+1]
		key := name.Value
		if name.Kind != yaml.ScalarNode {
			problems = append(problems, Problem{"config", fmt.Sprintf("%s line %d: the key is not a plain text", path, name.Line)})
			continue
		}
		if first, twice := lines[key]; twice {
			problems = append(problems, Problem{prefix + key, fmt.Sprintf("is given twice in %s, in lines %d and %d; keep one", path, first, name.Line)})
			continue
		}
		lines[key] = name.Line
		if prefix == "" && key == issuersKey {
			blocks, faults := parseBlocks(path, node)
			problems = append(problems, faults...)
			entries = append(entries, entry{key: key, value: blocks, line: name.Line})
			continue
		}
		value, fault := parseValue(node)
		if fault != "" {
			problems = append(problems, Problem{prefix + key, fmt.Sprintf("%s line %d: %s", path, name.Line, fault)})
			continue
		}
		if value != nil {
			entries = append(entries, entry{key: key, value: value, line: name.Line})
		}
	}
	return entries, problems
}

// parseBlocks returns the blocks of a list, with the problems of their entries.
func parseBlocks(path string, node *yaml.Node) ([]block, Problems) {
	node = resolveAlias(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode || len(node.Content) > maxIssuers {
		return nil, Problems{{issuersKey, fmt.Sprintf("%s line %d: takes a list of at most %d blocks, each with the keys of one issuer", path, node.Line, maxIssuers)}}
	}
	var problems Problems
	blocks := make([]block, len(node.Content))
	for i, item := range node.Content {
		blocks[i].line = item.Line
		if item = resolveAlias(item); item.Kind != yaml.MappingNode {
			problems = append(problems, Problem{issuersKey, fmt.Sprintf("%s line %d: is not a block of keys such as issuer and publisher-jwks-url", path, blocks[i].line)})
			continue
		}
		var faults Problems
		blocks[i].entries, faults = parseEntries(path, IssuerPrefix(i), item)
		problems = append(problems, faults...)
	}
	return blocks, problems
}

func resolveAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// parseValue returns the value of the node, nil for none, or what is wrong with it. Scalars are taken
// as they are written, so that 1.0 stays "1.0".
func parseValue(node *yaml.Node) (value any, fault string) {
	node = resolveAlias(node)
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return nil, ""
		}
		return node.Value, ""
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, "an element of the list is not a plain text"
			}
			list[i] = item.Value
		}
		return list, ""
	}
	return nil, "takes a value, not a block of keys"
}

// syntaxError returns what of a parser's error may be shown: the line and the words before the first
// quotation, which could be a part of a secret.
func syntaxError(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if i := strings.IndexAny(text, "'\"`"); i >= 0 {
		text = text[:i]
	}
	line := regexp.MustCompile(`^line \d+: `).FindString(text)
	reason := strings.TrimSpace(text[len(line):])
	switch {
	case line == "":
		return ": " + reason
	case reason == "":
		return " in " + strings.TrimSuffix(line, ": ")
	}
	return " in " + line + reason
}
