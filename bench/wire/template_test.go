package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, MinPayload, 128, 1000} {
		head := "POST /x/" + GroupMark + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		body := "topic=a/" + GroupMark + "/" + UniqueMark + "&data=" + DataMark + "&topic=b/" + UniqueMark
		template := NewTemplate(head, body, size)
		for _, p := range []Payload{{Group: 7, Lane: 8, N: 9, SentAt: 10}, {Group: 11, N: 12}} {
			text := template.Fill(p, 13)
			request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
			if err != nil {
				t.Fatalf("%v in %q", err, text)
			}
			if err := request.ParseForm(); err != nil {
				t.Fatal(err)
			}
			group := string(AppendNumber(nil, p.Group))
			if request.URL.Path != "/x/"+group {
				t.Errorf("path %s", request.URL.Path)
			}
			if got := strings.Join(request.Form["topic"], " "); got != "a/"+group+"/00000013 b/00000013" {
				t.Errorf("topics %s", got)
			}
			data := request.Form.Get("data")
			if got, ok := ParsePayload([]byte(data)); !ok || got != p || len(data) != max(size, MinPayload) {
				t.Errorf("data %q", data)
			}
			if !bytes.HasSuffix(text, []byte("b/00000013")) {
				t.Errorf("the length of %q is wrong", text)
			}
		}
	}
}

func TestTemplateCloneIsIndependent(t *testing.T) {
	t.Parallel()
	a := NewTemplate("POST / HTTP/1.1\r\n", "data="+DataMark, 128)
	b := a.Clone()
	first := bytes.Clone(a.Fill(Payload{N: 1}, 0))
	b.Fill(Payload{N: 2}, 0)
	if !bytes.Equal(a.bytes, first) {
		t.Error("filling a clone changes the original")
	}
}
