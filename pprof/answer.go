package pprof

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/valyala/fasthttp"
)

// Answer is an address that answers GET with a JSON document.
type Answer struct {
	// About says in one line what there is and which parameters it takes.
	About string
	// JSON returns the status and the document for the parameters of the query. It is called from any goroutine.
	JSON func(args url.Values) (status int, document any)
}

func (a *Answer) handle(ctx *fasthttp.RequestCtx) {
	args := url.Values{}
	for name, value := range ctx.QueryArgs().All() {
		args.Add(string(name), string(value))
	}
	status, document := a.JSON(args)
	content, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		text(ctx, fasthttp.StatusInternalServerError, err.Error())
		return
	}
	ctx.SetStatusCode(status)
	body(ctx, append(content, '\n'))
}

// about returns the addresses of the answers with what is there, in order.
func about(answers map[string]Answer) [][2]string {
	var all [][2]string
	for path, answer := range answers {
		all = append(all, [2]string{path, answer.About})
	}
	slices.SortFunc(all, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return all
}
