package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/tiles/mvt"
)

// blockSize is how much GeoJSON one goroutine parses at a time; a longer line makes a longer block, up to maxLine.
const (
	blockSize = 2 << 20
	maxLine   = 256 << 20
)

// ReadGeoJSON adds the features of a sequence, one GeoJSON Feature a line (RFC 8142; a record separator before a feature
// is skipped), in order, on several goroutines. Each member of a GeometryCollection becomes a feature. Properties that
// are objects or arrays become strings of JSON, nulls are left out, features without geometry are counted and skipped.
// What is not such a sequence is Invalid, named by line.
func (f *Features) ReadGeoJSON(ctx context.Context, r io.Reader, workers int) (skipped int, err error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	type block struct {
		text []byte
		done chan *parser
	}
	g, ctx := errgroup.WithContext(ctx)
	todo, inOrder := make(chan block), make(chan block, 2*workers)
	g.Go(func() error {
		defer close(todo)
		defer close(inOrder)
		var rest []byte
		for eof := false; !eof; {
			b := append(make([]byte, 0, len(rest)+blockSize), rest...)
			n, err := io.ReadFull(r, b[len(b):cap(b)])
			b = b[:len(b)+n]
			eof = err == io.EOF || err == io.ErrUnexpectedEOF
			if err != nil && !eof {
				return err
			}
			rest = nil
			if !eof {
				cut := bytes.LastIndexByte(b, '\n') + 1
				b, rest = b[:cut], b[cut:]
				if len(rest) > maxLine {
					return survey.Errorf(survey.Invalid, "a line is longer than %d bytes", maxLine).WithHint("the input must hold one feature a line")
				}
			}
			if len(b) == 0 {
				continue
			}
			bl := block{b, make(chan *parser, 1)}
			for _, c := range []chan block{inOrder, todo} {
				select {
				case c <- bl:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			for bl := range todo {
				p := &parser{f: NewFeatures(&mvt.Dict{})}
				p.parse(bl.text)
				bl.done <- p
			}
			return nil
		})
	}
	g.Go(func() error {
		line := 0
		for bl := range inOrder {
			var p *parser
			select {
			case p = <-bl.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if p.err != nil {
				return survey.Errorf(survey.Invalid, "line %d: %w", line+p.line, p.err).
					WithHint("the input must hold one GeoJSON Feature a line; ogr2ogr -f GeoJSONSeq makes that of other formats")
			}
			line += p.line
			skipped += p.skipped
			f.Append(p.f)
		}
		return nil
	})
	return skipped, g.Wait()
}

// Append adds all features of o after those of f, their attributes joined by name.
func (f *Features) Append(o *Features) {
	vals := f.Dict.Merge(o.Dict)
	keys := make([]uint32, len(o.Keys))
	for i, k := range o.Keys {
		keys[i] = f.Key(k)
	}
	parts, verts, ends := uint32(len(f.hole)), uint32(len(f.xy)), uint32(len(f.tags))
	f.kind = append(f.kind, o.kind...)
	f.id = append(f.id, o.id...)
	f.rank = append(f.rank, o.rank...)
	f.box = append(f.box, o.box...)
	f.hole = append(f.hole, o.hole...)
	f.xy = append(f.xy, o.xy...)
	for _, p := range o.parts[1:] {
		f.parts = append(f.parts, parts+p)
	}
	for _, v := range o.verts[1:] {
		f.verts = append(f.verts, verts+v)
	}
	for _, t := range o.tags {
		f.tags = append(f.tags, Tag{keys[t.Key], vals[t.Value]})
	}
	for _, e := range o.ends[1:] {
		f.ends = append(f.ends, ends+e)
	}
	f.bound.join(o.bound)
}

// fields gives TileJSON's fields: String, Number, Boolean or Mixed.
func (f *Features) fields() map[string]string {
	out := map[string]string{}
	for _, t := range f.tags {
		k, typ := f.Keys[t.Key], f.Dict.Type(t.Value)
		if was, ok := out[k]; ok && was != typ {
			typ = "Mixed"
		}
		out[k] = typ
	}
	return out
}

// ReadGeoJSONFile is ReadGeoJSON of a file.
func (f *Features) ReadGeoJSONFile(ctx context.Context, path string, workers int) (skipped int, err error) {
	r, err := os.Open(path)
	if err != nil {
		return 0, survey.Errorf(survey.NotFound, "features: %w", err)
	}
	defer r.Close()
	skipped, err = f.ReadGeoJSON(ctx, r, workers)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return skipped, err
}

// parser reads lines of GeoJSON into features of its own. It accepts all JSON and some text that is not quite JSON in
// members that it skips.
type parser struct {
	b       []byte
	i       int
	f       *Features
	line    int // lines begun
	skipped int
	err     error

	// The feature in progress.
	pts   []XY
	lists []int // ends in pts of each list of positions
	sets  []int // ends in lists of each list of lists
	geoms []geom
	tags  []Tag
	text  []byte // an unescaped string
}

// geom is a geometry: its type and the ends of its positions, lists and lists of lists.
type geom struct {
	typ                    string
	depth                  int
	pts0, lists0, sets0    int
	ptsEnd, listsEnd, sets int
}

type syntaxError struct {
	at   int
	what string
}

func (e syntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.what) }

// fail leaves the parser; parse recovers it. Only syntaxError values travel this way.
func (p *parser) fail(what string) { panic(syntaxError{p.i, what}) }

func (p *parser) parse(text []byte) {
	for len(text) > 0 && p.err == nil {
		line := text
		if n := bytes.IndexByte(text, '\n'); n >= 0 {
			line, text = text[:n], text[n+1:]
		} else {
			text = nil
		}
		p.line++
		p.b, p.i = bytes.TrimLeft(line, "\x1e \t\r"), 0
		if len(p.b) > 0 {
			p.err = p.feature()
		}
	}
}

func (p *parser) feature() (err error) {
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			err = s
		}
	}()
	p.pts, p.lists, p.sets, p.geoms, p.tags = p.pts[:0], p.lists[:0], p.sets[:0], p.geoms[:0], p.tags[:0]
	var id uint64
	typ := ""
	p.object(func(key []byte) {
		switch string(key) {
		case "type":
			typ = string(p.str())
		case "geometry":
			if !p.null() {
				p.geometry(0)
			}
		case "properties":
			if !p.null() {
				p.object(p.property)
			}
		case "id":
			if c := p.peek(); c == '-' || c >= '0' && c <= '9' {
				if v, whole, _ := p.number(); whole && v > 0 && v < 1<<53 {
					id = uint64(v)
				}
			} else {
				p.skip(0)
			}
		default:
			p.skip(0)
		}
	})
	if p.space(); p.i < len(p.b) {
		p.fail("text after the feature")
	}
	if typ != "Feature" {
		p.i = 0
		p.fail(fmt.Sprintf("a %.40q where a Feature belongs", typ))
	}
	if len(p.geoms) == 0 {
		p.skipped++
	}
	for _, g := range p.geoms {
		p.emit(g, id)
	}
	return nil
}

func (p *parser) emit(g geom, id uint64) {
	f := p.f
	list := func(i int) []XY {
		from := g.pts0
		if i > g.lists0 {
			from = p.lists[i-1]
		}
		return p.pts[from:p.lists[i]]
	}
	want := map[string]int{"Point": 1, "MultiPoint": 2, "LineString": 2, "MultiLineString": 3, "Polygon": 3, "MultiPolygon": 4}[g.typ]
	empty := g.pts0 == g.ptsEnd
	if want == 0 || (g.depth != want && !empty) {
		p.i = 0
		p.fail(fmt.Sprintf("coordinates of depth %d in a %.40q", g.depth, g.typ))
	}
	if empty {
		p.skipped++
		return
	}
	switch g.typ {
	case "Point", "MultiPoint":
		f.Begin(Point, id, 0)
		f.Part(p.pts[g.pts0:g.ptsEnd], false)
	case "LineString", "MultiLineString":
		f.Begin(Line, id, 0)
		for i := g.lists0; i < g.listsEnd; i++ {
			f.Part(list(i), false)
		}
	case "Polygon":
		f.Begin(Polygon, id, 0)
		for i := g.lists0; i < g.listsEnd; i++ {
			f.Part(list(i), i > g.lists0)
		}
	case "MultiPolygon":
		f.Begin(Polygon, id, 0)
		first := g.lists0
		for _, end := range p.sets[g.sets0:g.sets] {
			for i := first; i < end; i++ {
				f.Part(list(i), i > first)
			}
			first = end
		}
	}
	for _, t := range p.tags {
		f.Tag(t.Key, t.Value)
	}
	f.End()
}

const maxDepth = 64

func (p *parser) geometry(nested int) {
	if nested > maxDepth {
		p.fail("nested too deep")
	}
	g := geom{pts0: len(p.pts), lists0: len(p.lists), sets0: len(p.sets)}
	collection := false
	p.object(func(key []byte) {
		switch string(key) {
		case "type":
			g.typ = string(p.str())
		case "coordinates":
			g.pts0, g.lists0, g.sets0 = len(p.pts), len(p.lists), len(p.sets)
			g.depth = p.coordinates(1)
			g.ptsEnd, g.listsEnd, g.sets = len(p.pts), len(p.lists), len(p.sets)
		case "geometries":
			collection = true
			p.array(func() {
				if !p.null() {
					p.geometry(nested + 1)
				}
			})
		default:
			p.skip(0)
		}
	})
	if g.typ == "GeometryCollection" || collection {
		return
	}
	p.geoms = append(p.geoms, g)
}

// coordinates reads nested arrays of positions and gives how deep they are: 1 for a position.
func (p *parser) coordinates(level int) int {
	if level > 4 {
		p.fail("coordinates nested too deep")
	}
	p.expect('[')
	c := p.peek()
	if c == ']' {
		p.i++
		return 0
	}
	if c != '[' {
		_, _, lon := p.number()
		p.expect(',')
		p.space()
		_, _, lat := p.number()
		for p.more() { // altitude and what else there is
			p.space()
			p.number()
		}
		if !(lat >= -90 && lat <= 90 && lon >= -360 && lon <= 360) {
			p.fail("a position off the globe")
		}
		p.pts = append(p.pts, Project(geo.Point{Lat: lat, Lon: lon}))
		return 1
	}
	depth := 0
	for {
		p.space()
		d := p.coordinates(level + 1)
		if depth != 0 && d != 0 && d != depth {
			p.fail("coordinates of mixed depth")
		}
		depth = max(depth, d)
		if !p.more() {
			break
		}
	}
	switch depth {
	case 1:
		p.lists = append(p.lists, len(p.pts))
	case 2:
		p.sets = append(p.sets, len(p.lists))
	}
	return depth + 1
}

func (p *parser) property(key []byte) {
	k := p.f.keyBytes(key)
	d := p.f.Dict
	var v mvt.Value
	switch c := p.peek(); {
	case c == '"':
		v = d.Bytes(p.str())
	case c == '{' || c == '[':
		from := p.i
		p.skip(0)
		v = d.Bytes(p.b[from:p.i])
	case c == 't':
		p.word("true")
		v = d.Bool(true)
	case c == 'f':
		p.word("false")
		v = d.Bool(false)
	case c == 'n':
		p.word("null")
		return
	default:
		if i, whole, f := p.number(); whole {
			v = d.Int(i)
		} else {
			v = d.Float(f)
		}
	}
	p.tags = append(p.tags, Tag{k, v})
}

func (f *Features) keyBytes(key []byte) uint32 {
	if k, ok := f.keyOf[string(key)]; ok {
		return k
	}
	return f.Key(string(key))
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

// peek gives the next byte that is not space; 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

func (p *parser) expect(c byte) {
	if p.peek() != c {
		p.fail(fmt.Sprintf("%q is missing", c))
	}
	p.i++
}

func (p *parser) word(w string) {
	if !bytes.HasPrefix(p.b[p.i:], []byte(w)) {
		p.fail("not a JSON value")
	}
	p.i += len(w)
}

func (p *parser) null() bool {
	if p.peek() != 'n' {
		return false
	}
	p.word("null")
	return true
}

// more is after a member: true past a comma, false past the closing bracket.
func (p *parser) more() bool {
	switch p.peek() {
	case ',':
		p.i++
		return true
	case ']', '}':
		p.i++
		return false
	}
	p.fail("neither ',' nor a closing bracket")
	return false
}

func (p *parser) object(member func(key []byte)) {
	p.expect('{')
	if p.peek() == '}' {
		p.i++
		return
	}
	for {
		p.space()
		key := p.str()
		if len(p.text) > 0 && len(key) > 0 && &key[0] == &p.text[0] {
			key = bytes.Clone(key) // member may unescape another string
		}
		p.expect(':')
		p.space()
		member(key)
		if !p.more() {
			return
		}
	}
}

func (p *parser) array(element func()) {
	p.expect('[')
	if p.peek() == ']' {
		p.i++
		return
	}
	for {
		p.space()
		element()
		if !p.more() {
			return
		}
	}
}

// str reads a string; the bytes are valid until the next.
func (p *parser) str() []byte {
	p.expect('"')
	from := p.i
	for plain := true; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			s := p.b[from:p.i]
			p.i++
			if plain {
				return s
			}
			if p.text = p.unescape(s); !utf8.Valid(p.text) {
				p.text = bytes.ToValidUTF8(p.text, []byte("\uFFFD"))
			}
			return p.text
		case c == '\\':
			plain = false
			p.i++
		case c >= 0x80:
			plain = false // checked to be UTF-8
		}
	}
	p.fail("a string without end")
	return nil
}

func (p *parser) unescape(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return append(p.text[:0], s...)
	}
	var out string
	if err := json.Unmarshal(p.b[p.i-len(s)-2:p.i], &out); err != nil {
		p.fail("a string that JSON does not allow")
	}
	return append(p.text[:0], out...)
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// number reads a number as the nearest float and, when it is written as an integer that fits, as that.
func (p *parser) number() (v int64, whole bool, f float64) {
	from, digits, point := p.i, 0, -1
	var m uint64
	exact := true
	neg := p.i < len(p.b) && p.b[p.i] == '-'
	if neg {
		p.i++
	}
loop:
	for ; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c >= '0' && c <= '9':
			if m >= 1<<53/10 {
				exact = false
			}
			m = m*10 + uint64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = digits
		case c == 'e' || c == 'E' || c == '+' || c == '-':
			exact = false
		default:
			break loop
		}
	}
	if digits == 0 {
		p.fail("not a JSON value")
	}
	frac := 0
	if point >= 0 {
		frac = digits - point
	}
	if !exact || frac >= len(pow10) {
		text := string(p.b[from:p.i])
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, true, float64(i)
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			p.fail("not a JSON value")
		}
		return 0, false, f
	}
	// Both are exact in a float, so the quotient is the nearest float.
	f = float64(m) / pow10[frac]
	if neg {
		f = -f
		return -int64(m), point < 0, f
	}
	return int64(m), point < 0, f
}

// skip passes over any value.
func (p *parser) skip(nested int) {
	if nested > maxDepth {
		p.fail("nested too deep")
	}
	switch c := p.peek(); c {
	case '{':
		p.object(func([]byte) { p.skip(nested + 1) })
	case '[':
		p.array(func() { p.skip(nested + 1) })
	case '"':
		p.str()
	case 't':
		p.word("true")
	case 'f':
		p.word("false")
	case 'n':
		p.word("null")
	default:
		p.number()
	}
}
