package sse

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// admit reports whether a request is one that every server on its way reads alike. If not, it has been answered, and
// its connection ends: what follows on it may be the rest of this request to somebody else (RFC 9112, section 11.2).
func admit(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	switch {
	case misframed(h.RawHeaders()):
		cutShort(ctx)
		ctx.SetConnectionClose()
		fail(ctx, fasthttp.StatusBadRequest, "request is not well-formed HTTP")
		return false
	case !bytes.HasPrefix(h.Protocol(), []byte("HTTP/1.")):
		// The preface of HTTP/2 reads as a request of another version (RFC 9113, section 3.4).
		cutShort(ctx)
		ctx.SetConnectionClose()
		fail(ctx, fasthttp.StatusHTTPVersionNotSupported, "the hub speaks HTTP/1.1, and HTTP/2 over TLS")
		return false
	}
	return true
}

// misframed reports whether the header fields, as they came, leave room for two opinions on where the request ends:
// lines that end without a carriage return (RFC 9112, section 2.2), folded lines (5.2), a length beside a transfer
// coding, or a coding other than chunked (6.1, 6.3). fasthttp takes all of these but folded lines, and acts on one of the
// opinions.
func misframed(fields []byte) bool {
	var length, coded bool
	for len(fields) > 0 {
		end := bytes.IndexByte(fields, '\n')
		if end < 1 || fields[end-1] != '\r' {
			return true
		}
		line := fields[:end-1]
		fields = fields[end+1:]
		if len(line) == 0 {
			continue
		}
		switch line[0] | 0x20 { // in lower case
		case 'c':
			_, is := cutField(line, "content-length")
			length = length || is
		case 't':
			if value, is := cutField(line, "transfer-encoding"); is {
				if !bytes.EqualFold(value, []byte("chunked")) {
					return true
				}
				coded = true
			}
		case ' ', '\t' | 0x20:
			return true
		}
	}
	return length && coded
}

// cutField returns the value of a field line if it has the name, which is in lower case.
func cutField(line []byte, name string) (value []byte, is bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.Trim(line[len(name)+1:], " \t"), true
}

// coded reports whether the body is compressed or coded in another way, and answers if so. The hub never inflates
// anything: a small body could become a large one (RFC 9110, section 15.5.16).
func coded(ctx *fasthttp.RequestCtx) bool {
	coding := ctx.Request.Header.Peek(fasthttp.HeaderContentEncoding)
	if len(coding) == 0 || bytes.EqualFold(coding, []byte("identity")) {
		return false
	}
	ctx.Response.Header.Set(fasthttp.HeaderAcceptEncoding, "identity")
	fail(ctx, fasthttp.StatusUnsupportedMediaType, "Content-Encoding is not supported: send the body as it is")
	return true
}
