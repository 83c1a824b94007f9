package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// ErrRefused says that the peer ended the handover and why: its reason follows in the text.
var ErrRefused = errors.New("the handover was refused")

// link carries frames and descriptors over one connection. It belongs to one goroutine at a time.
type link struct {
	conn *net.UnixConn

	head    [headerLen]byte
	in, out []byte // reused from frame to frame
	control []byte // room for the descriptors of one message
}

func newLink(conn *net.UnixConn) *link {
	return &link{conn: conn, control: make([]byte, controlSpace(maxDescriptors))}
}

func (l *link) close() { _ = l.conn.Close() }

// bound limits what is done on the link until the returned function is called, by ctx and by the time.
func (l *link) bound(ctx context.Context, d time.Duration) (end func() bool) {
	_ = l.conn.SetDeadline(time.Now().Add(d))
	// After the line above, so that an end of ctx, past or to come, is what stands.
	return context.AfterFunc(ctx, func() { _ = l.conn.SetDeadline(time.Unix(1, 0)) })
}

// because makes an error of the connection tell what was attempted, and name ctx if that is why.
func because(ctx context.Context, attempt string, d time.Duration, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", attempt, context.Cause(ctx))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s: not done within %s: %w", attempt, d, err)
	}
	return fmt.Errorf("%s: %w", attempt, err)
}

// send writes a control message.
func (l *link) send(ctx context.Context, d time.Duration, k kind, message any) error {
	payload, err := encode(message)
	if err != nil {
		return err
	}
	return l.write(ctx, d, k, payload, nil)
}

// write sends a frame with descriptors, which stay the caller's.
func (l *link) write(ctx context.Context, d time.Duration, k kind, payload []byte, descriptors []int) error {
	defer l.bound(ctx, d)()
	l.out = header{kind: k, descriptors: len(descriptors), length: len(payload)}.append(l.out[:0])
	l.out = append(l.out, payload...)
	var control []byte
	if len(descriptors) > 0 {
		control = rights(descriptors)
	}
	n, _, err := l.conn.WriteMsgUnix(l.out, control, nil)
	if err == nil && n < len(l.out) {
		_, err = l.conn.Write(l.out[n:])
	}
	return because(ctx, "sending "+k.String(), d, err)
}

// expect reads a frame of one of the kinds. A refusal in its place is an error that wraps ErrRefused. After
// an error no descriptor is left open and the link is of no more use.
func (l *link) expect(ctx context.Context, d time.Duration, kinds ...kind) (frame, error) {
	defer l.bound(ctx, d)()
	f, err := l.read(append(kinds, kindRefusal))
	if err != nil {
		return frame{}, because(ctx, "waiting for "+kinds[0].String(), d, err)
	}
	if f.kind == kindRefusal {
		r, err := decode[refusal](f.payload)
		if err != nil {
			return frame{}, err
		}
		return frame{}, fmt.Errorf("%w: %s", ErrRefused, quoted(r.Reason))
	}
	return f, nil
}

// read reads a frame. What is due is known, so a frame of another kind is refused by its header, before
// memory is made for it.
func (l *link) read(due []kind) (f frame, err error) {
	defer func() {
		if err != nil {
			closeAll(f.descriptors)
			f = frame{}
		}
	}()
	for n := 0; n < headerLen; {
		m, err := l.readHead(l.head[n:], &f)
		if err != nil {
			if n > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return f, err
		}
		n += m
	}
	h, err := parseHeader(l.head[:])
	if err != nil {
		return f, err
	}
	if !slices.Contains(due, h.kind) {
		return f, fmt.Errorf("%w: %s out of turn", ErrProtocol, h.kind)
	}
	switch {
	case f.truncated && h.kind != kindBatch:
		return f, fmt.Errorf("%s has lost descriptors: this process has too many open files", h.kind)
	case len(f.descriptors) != h.descriptors && !f.truncated:
		return f, fmt.Errorf("%w: %s with %d descriptors of %d", ErrProtocol, h.kind, len(f.descriptors), h.descriptors)
	}
	l.in = slices.Grow(l.in[:0], h.length)[:h.length]
	if err := l.readPayload(l.in); err != nil {
		return f, err
	}
	f.kind, f.payload = h.kind, l.in
	return f, nil
}

// readHead reads a part of a header and the descriptors that came with it.
func (l *link) readHead(b []byte, f *frame) (int, error) {
	n, c, flags, _, err := l.conn.ReadMsgUnix(b, l.control)
	if err != nil {
		return 0, err
	}
	got, err := parseRights(l.control[:c])
	f.descriptors = append(f.descriptors, got...)
	f.truncated = f.truncated || flags&truncatedFlag != 0
	if err == nil && len(f.descriptors) > maxDescriptors {
		err = fmt.Errorf("%w: more than %d descriptors", ErrProtocol, maxDescriptors)
	}
	return n, err
}

// readPayload fills b. Without room for descriptors the kernel closes those that come where none are due,
// and says so.
func (l *link) readPayload(b []byte) error {
	for len(b) > 0 {
		n, _, flags, _, err := l.conn.ReadMsgUnix(b, nil)
		switch {
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case flags&truncatedFlag != 0:
			return fmt.Errorf("%w: descriptors within a payload", ErrProtocol)
		}
		b = b[n:]
	}
	return nil
}

func closeAll(descriptors []int) {
	for _, fd := range descriptors {
		closeDescriptor(fd)
	}
}

// quoted makes the peer's text fit for a line of log.
func quoted(text string) string {
	const most = 512
	if len(text) > most {
		text = text[:most]
	}
	return fmt.Sprintf("%q", text)
}
