package sse

import (
	"bytes"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"hubd/mercure"
)

// "Publication" and URL Standard, section 5.1: what a form means.
func TestReadUpdate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		want       mercure.Update
	}{
		{"nothing", "", mercure.Update{}},
		{"every field", "topic=a&topic=b&data=d&id=i&type=t&retry=1&private=on", mercure.Update{Topics: []string{"a", "b"}, Data: "d", ID: "i", Type: "t", Retry: "1", Private: true}},
		{"the first value counts", "data=1&data=2&id=3&id=4&type=5&type=6&retry=7&retry=8", mercure.Update{Data: "1", ID: "3", Type: "5", Retry: "7"}},
		{"the first value counts though it is empty", "data=&data=2&id&id=4", mercure.Update{}},
		{"empty topics are topics", "topic=&topic", mercure.Update{Topics: []string{"", ""}}},
		{"unknown names", "topics=a&Topic=b&=c&event=d&dat=e&dataa=f", mercure.Update{}},
		{"empty pairs", "&&topic=a&&", mercure.Update{Topics: []string{"a"}}},
		{"no value", "private", mercure.Update{Private: true}},
		{"an equals sign in a value", "data=a=b==", mercure.Update{Data: "a=b=="}},
		{"a semicolon does not separate", "data=a;topic=b", mercure.Update{Data: "a;topic=b"}},
		{"plus and percent", "data=+a%2Bb%26%3d%0A+", mercure.Update{Data: " a+b&=\n "}},
		{"encoded names", "t%6Fpic=a&%64ata=b&pri%76ate", mercure.Update{Topics: []string{"a"}, Data: "b", Private: true}},
		{"a percent sign alone", "data=%&id=100%&type=%%41", mercure.Update{Data: "%", ID: "100%", Type: "%A"}},
		{"a percent sign without digits", "data=%zz%4&id=%4g%g4&type=%+&retry=%4+", mercure.Update{Data: "%zz%4", ID: "%4g%g4", Type: "% ", Retry: "%4 "}},
		{"an escape is no separator", "data=%26topic%3Da", mercure.Update{Data: "&topic=a"}},
		{"decoded once", "data=%2541", mercure.Update{Data: "%41"}},
		{"bytes that are no text", "data=%ff%00\xfe", mercure.Update{Data: "\xff\x00\xfe"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := readUpdate([]byte(test.body)); !reflect.DeepEqual(*got, test.want) {
				t.Errorf("read %+v, want %+v", *got, test.want)
			}
		})
	}
}

// fasthttp uses the memory of a body again for the next request.
func TestUpdateKeepsNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte("topic=a%2Fb&topic=c&data=d%20e&id=i&type=t&retry=1")
	u := readUpdate(body)
	clear(body)
	want := mercure.Update{Topics: []string{"a/b", "c"}, Data: "d e", ID: "i", Type: "t", Retry: "1"}
	if !reflect.DeepEqual(*u, want) {
		t.Errorf("the update became %+v, want %+v", *u, want)
	}
}

// standardForm reads a form as the URL Standard words it, section 5.1, with its own percent-decoding,
// section 1.3.
func standardForm(body string) (pairs [][2]string) {
	decode := func(s string) string {
		var b strings.Builder
		for s = strings.ReplaceAll(s, "+", " "); s != ""; s = s[1:] {
			if s[0] == '%' && len(s) > 2 {
				// ParseUint takes no signs and, with a base given, no underscores.
				if c, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
					b.WriteByte(byte(c))
					s = s[2:]
					continue
				}
			}
			b.WriteByte(s[0])
		}
		return b.String()
	}
	for pair := range strings.SplitSeq(body, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			pairs = append(pairs, [2]string{decode(name), decode(value)})
		}
	}
	return pairs
}

// fill makes an update of pairs.
func fill(pairs [][2]string) *mercure.Update {
	u, seen := new(mercure.Update), map[string]bool{}
	for _, pair := range pairs {
		name, value := pair[0], pair[1]
		if field := map[string]*string{"data": &u.Data, "id": &u.ID, "type": &u.Type, "retry": &u.Retry}[name]; field != nil && !seen[name] {
			*field, seen[name] = value, true
		}
		if name == "topic" {
			u.Topics = append(u.Topics, value)
		}
		u.Private = u.Private || name == "private"
	}
	return u
}

// FuzzReadUpdate holds the reader against the standard's words, against fasthttp's parser, which differs only
// in a "+" after a "%" that is cut short by the end, and against net/url, which refuses some forms.
func FuzzReadUpdate(f *testing.F) {
	f.Add("topic=https%3A%2F%2Fexample.com%2Fbooks%2F1&data=a+b&private=on")
	f.Add("topic=a&topic=b&data=%&data=x&id=%zz&retry=%4&type=%2&&=&private")
	f.Add("t%6fpic=%E2%82%AC&data=1;2&da%74a=3")
	cutShort := regexp.MustCompile(`(?s)%.?\+`)
	f.Fuzz(func(t *testing.T, body string) {
		got := readUpdate([]byte(body))
		if want := fill(standardForm(body)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: read %+v, the standard has %+v", body, got, want)
		}
		var args fasthttp.Args
		args.Parse(body)
		var pairs [][2]string
		for name, value := range args.All() {
			pairs = append(pairs, [2]string{string(name), string(value)})
		}
		if want := fill(pairs); !cutShort.MatchString(body) && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: read %+v, fasthttp has %+v", body, got, want)
		}
		values, err := url.ParseQuery(body)
		if err == nil && (!reflect.DeepEqual(got.Topics, values["topic"]) || got.Data != values.Get("data") || got.Private != values.Has("private")) {
			t.Errorf("%q: read %+v, net/url has %+v", body, got, values)
		}
	})
}

// BenchmarkReadUpdate reads the form of a usual publish.
func BenchmarkReadUpdate(b *testing.B) {
	form := []byte(url.Values{"topic": {"https://example.com/books/1"}, "data": {strings.Repeat("d", 128)}}.Encode())
	body := bytes.Clone(form)
	b.ReportAllocs()
	for b.Loop() {
		copy(body, form) // reading spends it
		readUpdate(body)
	}
}
