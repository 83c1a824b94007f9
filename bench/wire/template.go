package wire

import "bytes"

// Marks stand in the text from which a template is made, where its numbers will be.
const (
	GroupMark  = "{group__}"
	UniqueMark = "{unique_}"
	DataMark   = "{data}"
)

// Template is a publish request that is written once and then only has its numbers changed: the group
// and a number that was never used before, where its topic holds them, and the payload.
type Template struct {
	bytes  []byte
	group  []int
	unique []int
	data   int
	size   int
}

// NewTemplate makes a template of a request. head is its head up to and without Content-Length; body
// holds DataMark once and the others any number of times, where eight digits will be; head may hold
// them too. size is the length of the payload.
func NewTemplate(head, body string, size int) *Template {
	t := &Template{size: max(size, MinPayload)}
	text := t.number(nil, head)
	sized := len(t.number(nil, body)) - len(DataMark) + t.size
	t.group, t.unique = nil, nil
	text = t.number(text[:0], head)
	text = append(text, "Content-Length: "...)
	text = appendInt(text, sized)
	text = append(text, "\r\n\r\n"...)
	text = t.number(text, body)
	t.data = bytes.Index(text, []byte(DataMark))
	tail := append([]byte(nil), text[t.data+len(DataMark):]...)
	text = append(text[:t.data], make([]byte, t.size)...)
	Payload{}.Put(text[t.data:])
	t.bytes = append(text, tail...)
	// Numbers behind the payload have moved by the difference between the payload and its mark.
	for _, places := range [][]int{t.group, t.unique} {
		for i := range places {
			if places[i] > t.data {
				places[i] += t.size - len(DataMark)
			}
		}
	}
	return t
}

// number appends s to b with zeros for the marks of numbers, whose places it notes.
func (t *Template) number(b []byte, s string) []byte {
	for len(s) > 0 {
		switch {
		case len(s) >= len(GroupMark) && s[:len(GroupMark)] == GroupMark:
			t.group = append(t.group, len(b))
			b, s = append(b, "00000000"...), s[len(GroupMark):]
		case len(s) >= len(UniqueMark) && s[:len(UniqueMark)] == UniqueMark:
			t.unique = append(t.unique, len(b))
			b, s = append(b, "00000000"...), s[len(UniqueMark):]
		default:
			b, s = append(b, s[0]), s[1:]
		}
	}
	return b
}

// Clone returns a template that shares nothing with t.
func (t *Template) Clone() *Template {
	c := *t
	c.bytes = bytes.Clone(t.bytes)
	return &c
}

// Fill puts the numbers in and returns the request, valid until the next Fill.
func (t *Template) Fill(p Payload, unique uint32) []byte {
	for _, at := range t.group {
		putNumber(t.bytes[at:], p.Group)
	}
	for _, at := range t.unique {
		putNumber(t.bytes[at:], unique)
	}
	p.PutNumbers(t.bytes[t.data:])
	return t.bytes
}

// AppendNumber appends v in the form that templates use.
func AppendNumber(b []byte, v uint32) []byte {
	n := len(b)
	b = append(b, "00000000"...)
	putNumber(b[n:], v)
	return b
}

func appendInt(b []byte, v int) []byte {
	if v >= 10 {
		b = appendInt(b, v/10)
	}
	return append(b, '0'+byte(v%10))
}
