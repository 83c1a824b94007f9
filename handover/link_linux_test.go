package handover

import "testing"

// FuzzRead lets a link read what a peer wrote before it hung up.
func FuzzRead(f *testing.F) {
	f.Add(append(raw(kindHello, 0, "{}"), raw(kindBatch, 0, "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00")...))
	f.Add(raw(kindListeners, 3, "{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return // more than the socket takes while nobody reads
		}
		near, far := connected(t)
		if _, err := far.conn.Write(b); err != nil {
			t.Fatal(err)
		}
		far.close()
		for read := 0; ; {
			frame, err := near.read([]kind{kindHello, kindBatch, kindDone})
			if err != nil {
				return
			}
			if read += headerLen + len(frame.payload); read > len(b) || len(frame.descriptors) > 0 {
				t.Fatalf("%d bytes and %d descriptors were read of %d bytes", read, len(frame.descriptors), len(b))
			}
		}
	})
}
