package mercure

import (
	"errors"
	"strings"
	"testing"
)

// "Publication" and "Terminology": what an update's fields may hold.
func TestUpdateValidate(t *testing.T) {
	t.Parallel()
	valid := func() Update { return Update{Topics: []string{"https://example.com/books/1"}} }
	for _, test := range []struct {
		name   string
		change func(u *Update)
		want   string // part of the error, or empty
	}{
		{"only a topic", func(*Update) {}, ""},
		{"no topic", func(u *Update) { u.Topics = nil }, `"topic" is missing`},
		{"empty topic", func(u *Update) { u.Topics = append(u.Topics, "") }, `"topic" is empty`},
		{"alternate topic is the wildcard", func(u *Update) { u.Topics = append(u.Topics, "*") }, "reserved for the matcher"},
		{"topic with a C0 control", func(u *Update) { u.Topics[0] = "a\x1fb" }, "U+001F at byte 1"},
		{"topic with DEL", func(u *Update) { u.Topics[0] = "a\x7f" }, "U+007F"},
		{"topic with a C1 control", func(u *Update) { u.Topics[0] = "a\u0085" }, "U+0085 at byte 1"},
		{"topic with a zero-width joiner", func(u *Update) { u.Topics[0] = "a\u200d" }, "U+200D"},
		{"topic with a right-to-left override", func(u *Update) { u.Topics[0] = "\u202ea" }, "U+202E at byte 0"},
		{"topic that is not UTF-8", func(u *Update) { u.Topics[0] = "a\xff" }, "not valid UTF-8"},
		{"topic beyond ASCII", func(u *Update) { u.Topics[0] = "https://例え.jp/книга" }, ""},
		{"data with line ends and controls", func(u *Update) { u.Data = "a\r\n\x00b" }, ""},
		{"data that is not UTF-8", func(u *Update) { u.Data = "\xc3(" }, `"data" is not valid UTF-8`},
		{"id of the publisher", func(u *Update) { u.ID = "urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb" }, ""},
		{"id like the hub's own", func(u *Update) { u.ID = "#1" }, `starts with "#"`},
		{"id that is the reserved cursor", func(u *Update) { u.ID = "earliest" }, "reserved"},
		{"id with a line end", func(u *Update) { u.ID = "a\ndata: forged" }, `"id"`},
		{"id with a format character", func(u *Update) { u.ID = "a\ufeff" }, `"id"`},
		{"type", func(u *Update) { u.Type = "price changed" }, ""},
		{"type that only the hub may use", func(u *Update) { u.Type = "mercure" }, "reserved for the hub"},
		{"type with a carriage return", func(u *Update) { u.Type = "a\rb" }, `"type"`},
		{"retry", func(u *Update) { u.Retry = "0123456789" }, ""},
		{"retry with a sign", func(u *Update) { u.Retry = "-1" }, `"retry"`},
		{"retry with digits beyond ASCII", func(u *Update) { u.Retry = "１" }, `"retry"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := valid()
			test.change(&u)
			err := u.Validate()
			switch {
			case test.want == "" && err != nil:
				t.Fatalf("valid update is refused: %v", err)
			case test.want != "" && err == nil:
				t.Fatal("invalid update is accepted")
			case test.want != "" && (!errors.Is(err, ErrUpdate) || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("error is %q, want one with %q", err, test.want)
			}
		})
	}
}
