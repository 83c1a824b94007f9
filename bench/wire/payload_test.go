package wire

import (
	"fmt"
	"strconv"
	"testing"
)

func TestPayloadSurvives(t *testing.T) {
	t.Parallel()
	for _, p := range []Payload{
		{}, {Group: 1, Lane: 2, N: 3, SentAt: 4}, {Group: MaxNumber, Lane: MaxNumber, N: MaxNumber, SentAt: 9_999_999_999_999_999},
		{Group: 12345678, Lane: 87654321, N: 10203040, SentAt: 1234567890123456},
	} {
		for _, size := range []int{MinPayload, MinPayload + 1, 128, 4096} {
			b := make([]byte, size)
			p.Put(b)
			got, ok := ParsePayload(b)
			if !ok || got != p {
				t.Errorf("%d bytes: %+v, %t, want %+v", size, got, ok, p)
			}
		}
	}
}

func TestPayloadFindsAlteredBytes(t *testing.T) {
	t.Parallel()
	b := make([]byte, 128)
	want := Payload{Group: 12, Lane: 34, N: 56, SentAt: 78}
	want.Put(b)
	for i := range b {
		for _, x := range []byte{'/', ':', ' ', 0, 0xff, 'y'} {
			old := b[i]
			b[i] = x
			if _, ok := ParsePayload(b); ok {
				t.Errorf("byte %d may be %q", i, x)
			}
			b[i] = old
		}
	}
	if _, ok := ParsePayload(b[:MinPayload-1]); ok {
		t.Error("a payload that is cut off is taken")
	}
}

func FuzzNumber(f *testing.F) {
	f.Add([]byte("12345678"))
	f.Add([]byte("0000000:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < numberLen {
			return
		}
		b = b[:numberLen]
		got, ok := parseNumber(b)
		want, valid := 0, true
		for _, x := range b {
			valid = valid && x >= '0' && x <= '9'
		}
		if valid {
			want, _ = strconv.Atoi(string(b))
		}
		if ok != valid || ok && int(got) != want {
			t.Errorf("%q: %d, %t, want %d, %t", b, got, ok, want, valid)
		}
		if ok && fmt.Sprintf("%08d", got) != string(AppendNumber(nil, got)) {
			t.Errorf("%d is written as %q", got, AppendNumber(nil, got))
		}
	})
}
