package sse

import (
	"bytes"

	"hubd/mercure"
)

// readUpdate reads the body of a publish, pairs of name and value joined by "&" (URL Standard, section 5.1),
// into an update. Unknown fields are ignored; of a field that has one value, the first counts. A publish costs
// one walk over its body: values are decoded in place, which spends the body, and copied once, each into a
// string of its own. The topics outlive the request and must not keep the data alive.
func readUpdate(body []byte) *mercure.Update {
	u := new(mercure.Update)
	var data, id, kind, retry bool
	once := func(field *string, seen *bool, value []byte) {
		if !*seen {
			*field, *seen = string(decodeForm(value)), true
		}
	}
	for len(body) > 0 {
		pair := body
		if end := bytes.IndexByte(body, '&'); end >= 0 {
			pair, body = body[:end], body[end+1:]
		} else {
			body = nil
		}
		var name, value []byte
		if equals := bytes.IndexByte(pair, '='); equals >= 0 {
			name, value = pair[:equals], pair[equals+1:]
		} else {
			name = pair
		}
		switch string(decodeForm(name)) {
		case "topic":
			u.Topics = append(u.Topics, string(decodeForm(value)))
		case "data":
			once(&u.Data, &data, value)
		case "id":
			once(&u.ID, &id, value)
		case "type":
			once(&u.Type, &kind, value)
		case "retry":
			once(&u.Retry, &retry, value)
		case "private":
			u.Private = true
		}
	}
	return u
}

// decodeForm decodes b in place: "+" is a space, and "%" with two hexadecimal digits is a byte. A "%" without
// them stands for itself (URL Standard, section 1.3).
func decodeForm(b []byte) []byte {
	n := bytes.IndexByte(b, '%')
	if plus := bytes.IndexByte(b, '+'); n < 0 || plus >= 0 && plus < n {
		n = plus
	}
	if n < 0 {
		return b
	}
	for i := n; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(b):
			if high, low := hexDigit(b[i+1]), hexDigit(b[i+2]); high|low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		b[n] = c
		n++
	}
	return b[:n]
}

// hexDigit returns the value of a hexadecimal digit, and 16 for anything else.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}
