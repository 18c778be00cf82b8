package comparison

import (
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Size of the picture.
const (
	panelWidth   = 4.6 * vg.Inch
	panelHeight  = 3.2 * vg.Inch
	legendHeight = 0.35 * vg.Inch
	margin       = 0.15 * vg.Inch
	headroom     = 1.05
	// dodge moves the points of the ways apart, in shares of the axis, so that bars do not hide each
	// other.
	dodge = 0.006
)

// WritePNG writes the picture as PNG.
func (r *Report) WritePNG(w io.Writer) error {
	return r.draw(w, func(width, height vg.Length) canvas {
		return vgimg.PngCanvas{Canvas: vgimg.New(width, height)}
	})
}

// WriteSVG writes the picture as SVG.
func (r *Report) WriteSVG(w io.Writer) error {
	return r.draw(w, func(width, height vg.Length) canvas { return vgsvg.New(width, height) })
}

type canvas interface {
	vg.CanvasWriterTo
	vg.CanvasSizer
}

// draw lays out the panels: throughput with most requests in flight above, latency with fewest below.
func (r *Report) draw(w io.Writer, open func(width, height vg.Length) canvas) error {
	rows, err := r.panels()
	if err != nil {
		return err
	}
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	for i := range rows {
		for len(rows[i]) < columns {
			rows[i] = append(rows[i], nil)
		}
	}
	c := open(vg.Length(columns)*panelWidth, vg.Length(len(rows))*panelHeight+legendHeight)
	tiles := draw.Tiles{Rows: len(rows), Cols: columns, PadX: 2 * margin, PadY: margin, PadTop: margin,
		PadBottom: margin, PadLeft: margin, PadRight: 2 * margin}
	all := draw.New(c)
	r.legend(draw.Crop(all, 0, 0, all.Max.Y-all.Min.Y-legendHeight, 0))
	for j, row := range plot.Align(rows, tiles, draw.Crop(all, 0, 0, 0, -legendHeight)) {
		for i, area := range row {
			if rows[j][i] != nil {
				rows[j][i].Draw(area)
			}
		}
	}
	_, err = c.WriteTo(w)
	return err
}

// legend draws the ways in a line.
func (r *Report) legend(c draw.Canvas) {
	const step, dash = 1.9 * vg.Inch, 0.4 * vg.Inch
	style := plot.New().Legend.TextStyle
	style.YAlign = -0.5
	x, y := c.Min.X+4*margin, (c.Min.Y+c.Max.Y)/2
	for _, m := range r.Modes {
		c.StrokeLine2(m.line(), x, y, x+dash, y)
		c.DrawGlyph(m.glyph(), vg.Point{X: x + dash/2, Y: y})
		c.FillText(style, vg.Point{X: x + dash + margin, Y: y}, string(m)+"-driven")
		x += step
	}
}

// number of the way, which gives it the same look in all pictures.
func (m Mode) number() int { return slices.Index(allModes, m) }

func (m Mode) line() draw.LineStyle {
	return draw.LineStyle{Color: plotutil.DarkColors[m.number()], Width: vg.Points(1.5),
		Dashes: plotutil.Dashes(m.number())}
}

func (m Mode) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: plotutil.DarkColors[m.number()], Radius: vg.Points(3),
		Shape: plotutil.Shape(m.number())}
}

// axis is a way to walk through the points.
type axis struct {
	title, label string
	points       []Point
	at           func(Point) float64
}

// axes are write ratios at the least and the greatest exponent, and exponents at the least write ratio;
// those with one point only show nothing.
func (r *Report) axes() (out []axis) {
	plain := slices.DeleteFunc(slices.Clone(r.Points), func(p Point) bool { return p.Scan })
	if len(plain) == 0 {
		return nil
	}
	byTheta := func(a, b Point) bool { return a.Theta < b.Theta }
	least, most := extreme(plain, byTheta), extreme(plain, func(a, b Point) bool { return byTheta(b, a) })
	reads := extreme(plain, func(a, b Point) bool { return a.Writes < b.Writes })
	add := func(title, label string, keep func(Point) bool, at func(Point) float64) {
		var points []Point
		for _, p := range plain {
			if keep(p) {
				points = append(points, p)
			}
		}
		if len(points) > 1 {
			out = append(out, axis{title, label, points, at})
		}
	}
	writes := func(p Point) float64 { return float64(p.Writes) }
	add(popularity(least), "writes, %", func(p Point) bool { return p.Theta == least.Theta }, writes)
	if most.Theta > least.Theta {
		add(popularity(most), "writes, %", func(p Point) bool { return p.Theta == most.Theta }, writes)
	}
	add(fmt.Sprintf("%d %% writes", reads.Writes), "exponent of zipf",
		func(p Point) bool { return p.Writes == reads.Writes }, func(p Point) float64 { return p.Theta })
	return out
}

func popularity(p Point) string {
	if p.Theta == 0 {
		return "uniform"
	}
	return fmt.Sprintf("zipf %v", p.Theta)
}

func extreme(points []Point, before func(a, b Point) bool) Point {
	best := points[0]
	for _, p := range points[1:] {
		if before(p, best) {
			best = p
		}
	}
	return best
}

func (r *Report) panels() (rows [][]*plot.Plot, err error) {
	deep, light := slices.Max(r.Depths), slices.Min(r.Depths)
	kinds := []struct {
		name, unit string
		depth      int
		number     func(Sample) float64
		scale      float64
	}{
		{"throughput", "1000 operations/s", deep, Throughput, 1e-3},
		{"mean latency", "µs", light, Mean, 1},
		{"p99 latency", "µs", light, P99, 1},
	}
	for _, k := range kinds {
		var row []*plot.Plot
		for _, a := range r.axes() {
			p := plot.New()
			p.Title.Text = fmt.Sprintf("%s, %s, %d in flight", k.name, a.title, k.depth)
			p.X.Label.Text, p.Y.Label.Text = a.label, k.unit
			p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
			if err := r.lines(p, a, k.depth, k.number, k.scale); err != nil {
				return nil, err
			}
			p.Y.Min = 0
			row = append(row, p)
		}
		if len(row) == 0 {
			return nil, fmt.Errorf("plot: %d points on no line: nothing to draw", len(r.Points))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// lines adds a line for each way through the medians, with bars over the middle half of the rounds.
func (r *Report) lines(
	p *plot.Plot, a axis, depth int, number func(Sample) float64, scale float64,
) error {
	p.Add(plotter.NewGrid())
	width := a.at(a.points[len(a.points)-1]) - a.at(a.points[0])
	for i, m := range r.Modes {
		d, top := series{}, 0.0
		shift := dodge * width * (float64(i) - float64(len(r.Modes)-1)/2)
		for _, point := range a.points {
			s := r.Result(point, depth, m).Of(number)
			d.XYs = append(d.XYs, plotter.XY{X: a.at(point) + shift, Y: s.Median * scale})
			d.YErrors = append(d.YErrors, struct{ Low, High float64 }{
				(s.Median - s.Low) * scale, (s.High - s.Median) * scale,
			})
			top = max(top, s.High*scale)
		}
		line, dots, err := plotter.NewLinePoints(d.XYs)
		if err != nil {
			return err
		}
		bars, err := plotter.NewYErrorBars(d)
		if err != nil {
			return err
		}
		line.LineStyle, dots.GlyphStyle, bars.Color = m.line(), m.glyph(), m.line().Color
		p.Add(line, bars, dots)
		p.Y.Max = max(p.Y.Max, headroom*top)
	}
	return nil
}

// series is a line with the spread of its points.
type series struct {
	plotter.XYs
	plotter.YErrors
}

// ticks are marked with as many decimals as they need.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(min, max float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(min, max)
	for i := range all {
		if !all[i].IsMinor() {
			all[i].Label = fmt.Sprintf("%.6g", all[i].Value)
		}
	}
	return all
}
