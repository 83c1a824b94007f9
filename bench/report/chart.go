package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is a line chart. Its y axis starts at zero: a chart of costs should show them whole.
type chart struct {
	title, subtitle string
	// y has no label: its numbers have their unit, and the subtitle says what they are.
	x, y   axis
	series []series
}

// axis turns values into places and texts.
type axis struct {
	label string
	// unit is what round numbers are counted in, where that is not 1, such as 1<<20 for megabytes.
	unit float64
	// place maps a value onto a linear scale; nil leaves it.
	place func(float64) float64
	// ticks are the values that are marked; nil chooses round ones.
	ticks  []float64
	format func(float64) string
}

// series is one line.
type series struct {
	name   string
	points [][2]float64
}

const (
	chartWidth, chartHeight           = 760, 416
	plotLeft, plotRight               = 76, 620
	plotTop, plotBottom               = 88, 360
	subtitleColumns                   = 110 // characters in a line of the subtitle
	gridLines                         = 5
	labelGap                          = 15
	dotsUpTo                          = 12 // points of a series that are few enough to be marked
	lightText, lightMuted             = "#1f2328", "#656d76"
	darkText, darkMuted               = "#e6edf3", "#8d96a0"
	lightGround, lightGrid, lightEdge = "#ffffff", "#d8dee4", "#d0d7de"
	darkGround, darkGrid, darkEdge    = "#0d1117", "#2a3139", "#30363d"
)

// palette has the colours of the lines on a light and on a dark ground; they differ in lightness too, for
// readers who do not tell colours apart.
func palette(i int) (light, dark string) {
	colours := [...][2]string{
		{"#0b5cad", "#6cb6ff"}, {"#bc4c00", "#f0883e"}, {"#57606a", "#adbac7"}, {"#1a7f37", "#57ab5a"}, {"#8250df", "#b083f0"},
	}
	c := colours[i%len(colours)]
	return c[0], c[1]
}

// svg draws the chart as a document of its own, with a light and a dark look.
func (c *chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		chartWidth, chartHeight, chartWidth, chartHeight, html.EscapeString(c.title+". "+c.subtitle))
	b.WriteString(c.style())
	fmt.Fprintf(&b, `<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", chartWidth-1, chartHeight-1)
	text(&b, "title", 20, 30, "start", c.title)
	first, second := broken(c.subtitle)
	text(&b, "muted", 20, 50, "start", first)
	text(&b, "muted", 20, 66, "start", second)
	frame := c.frame()
	c.grid(&b, frame)
	c.lines(&b, frame)
	b.WriteString("</svg>\n")
	return b.String()
}

// broken breaks a subtitle that is too long for one line at a space.
func broken(subtitle string) (first, second string) {
	if len(subtitle) <= subtitleColumns {
		return subtitle, ""
	}
	at := strings.LastIndexByte(subtitle[:subtitleColumns], ' ')
	return subtitle[:max(at, 0)], subtitle[at+1:]
}

func (c *chart) style() string {
	var b strings.Builder
	b.WriteString("<style>\ntext{font:12px system-ui,-apple-system,'Segoe UI',sans-serif}\n")
	b.WriteString(".title{font-size:16px;font-weight:600}\n.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\n")
	b.WriteString(".lead{stroke-dasharray:1 5;stroke-width:1.5}\n")
	look := func(ground, edge, grid, ink, muted string, colour func(i int) string) {
		fmt.Fprintf(&b, ".ground{fill:%s;stroke:%s}.grid{stroke:%s}.axis{stroke:%s}.title{fill:%s}.muted{fill:%s}\n",
			ground, edge, grid, muted, ink, muted)
		for i := range c.series {
			fmt.Fprintf(&b, ".s%d{stroke:%s}.t%d{fill:%s}\n", i, colour(i), i, colour(i))
		}
	}
	look(lightGround, lightEdge, lightGrid, lightText, lightMuted, func(i int) string { light, _ := palette(i); return light })
	b.WriteString("@media (prefers-color-scheme:dark){\n")
	look(darkGround, darkEdge, darkGrid, darkText, darkMuted, func(i int) string { _, dark := palette(i); return dark })
	b.WriteString("}\n</style>\n")
	return b.String()
}

// frame is the part of the value space that is drawn.
type frame struct{ x0, x1, y1 float64 }

func (c *chart) frame() frame {
	f := frame{x0: math.Inf(1), x1: math.Inf(-1)}
	for _, s := range c.series {
		for _, p := range s.points {
			x := c.x.at(p[0])
			f.x0, f.x1, f.y1 = min(f.x0, x), max(f.x1, x), max(f.y1, p[1])
		}
	}
	if f.x0 >= f.x1 {
		f.x0, f.x1 = f.x0-1, f.x0+1
	}
	if math.IsInf(f.x0, 0) {
		f.x0, f.x1 = 0, 1
	}
	if f.y1 <= 0 {
		f.y1 = 1
	}
	step := c.y.step(f.y1 / gridLines)
	f.y1 = math.Ceil(f.y1/step) * step
	return f
}

func (a *axis) at(v float64) float64 {
	if a.place == nil {
		return v
	}
	return a.place(v)
}

func (f frame) px(x float64) float64 {
	return plotLeft + (x-f.x0)/(f.x1-f.x0)*(plotRight-plotLeft)
}

func (f frame) py(y float64) float64 { return plotBottom - y/f.y1*(plotBottom-plotTop) }

func (c *chart) grid(b *strings.Builder, f frame) {
	step := c.y.step(f.y1 / gridLines)
	for i := 0; float64(i)*step <= f.y1*1.0001; i++ {
		v := float64(i) * step
		y := f.py(v)
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", plotLeft, plotRight, y, y)
		text(b, "muted", plotLeft-8, y+4, "end", c.y.format(v))
	}
	ticks := c.x.ticks
	if ticks == nil {
		step := c.x.step((f.x1 - f.x0) / 6)
		for v := math.Ceil(f.x0/step) * step; v <= f.x1*1.0001; v += step {
			ticks = append(ticks, v)
		}
	}
	for _, v := range ticks {
		x := c.x.at(v)
		if x < f.x0-1e-9 || x > f.x1+1e-9 {
			continue
		}
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", f.px(x), f.px(x), plotBottom, plotBottom+4)
		text(b, "muted", f.px(x), plotBottom+18, "middle", c.x.format(v))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", plotLeft, plotRight, plotBottom, plotBottom)
	text(b, "muted", (plotLeft+plotRight)/2, plotBottom+40, "middle", c.x.label)
}

// lines draws the series, with their names at the right edge, moved apart where they would meet. A dotted line
// leads there from a series that ends before.
func (c *chart) lines(b *strings.Builder, f frame) {
	ends := make([]float64, len(c.series))
	for i, s := range c.series {
		var path strings.Builder
		for j, p := range s.points {
			verb := "L"
			if j == 0 {
				verb = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", verb, f.px(c.x.at(p[0])), f.py(p[1]))
			ends[i] = f.py(p[1])
		}
		fmt.Fprintf(b, `<path class="line s%d" d="%s"/>`+"\n", i, path.String())
		if len(s.points) <= dotsUpTo {
			for _, p := range s.points {
				fmt.Fprintf(b, `<circle class="t%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", i, f.px(c.x.at(p[0])), f.py(p[1]))
			}
		}
	}
	spreadApart(ends)
	for i, s := range c.series {
		if len(s.points) > 0 {
			last := s.points[len(s.points)-1]
			if x := f.px(c.x.at(last[0])); x < plotRight-1 {
				y := f.py(last[1])
				fmt.Fprintf(b, `<line class="lead s%d" x1="%.1f" x2="%d" y1="%.1f" y2="%.1f"/>`+"\n", i, x, plotRight, y, y)
			}
			text(b, fmt.Sprintf("t%d", i), plotRight+10, ends[i]+4, "start", s.name)
		}
	}
}

// spreadApart moves places down until each is labelGap from the next.
func spreadApart(y []float64) {
	for range y {
		for i := range y {
			for j := range y {
				if i != j && y[i] <= y[j] && y[j]-y[i] < labelGap && (y[i] < y[j] || i < j) {
					y[j] = y[i] + labelGap
				}
			}
		}
	}
}

// step returns the least round number of units that is not below v.
func (a *axis) step(v float64) float64 {
	if a.unit == 0 {
		return roundStep(v)
	}
	return roundStep(v/a.unit) * a.unit
}

// roundStep returns the least of 1, 2, 2.5 and 5 times a power of ten that is not below v.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= v*0.9999 {
			return m * power
		}
	}
	return 10 * power
}

func text(b *strings.Builder, class string, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}
