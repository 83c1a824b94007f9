package config

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	candidates := []string{"listen", "drain", "publisher-key", "publisher-alg", "dev"}
	for word, want := range map[string]string{
		"lisen": "listen", "listne": "listen", "Drain": "drain", "publisher_key": "publisher-key", "publisherkey": "publisher-key",
		"de": "dev", "colour": "", "": "", "xyz": "",
	} {
		if got := nearest(word, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
