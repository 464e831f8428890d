package custody

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// Every node keeps an index of everybody for segments, in memory. It is built from what lies sealed in the database, and follows the change log and
// the outbox: before each answer it takes in whatever was committed until then, on whichever node, and those whose time has come. So a
// withdrawal that has returned is out of every answer that starts later, and a node that cannot ask the database gives no answer at all.

// segments is the index of this node.
type segments struct {
	service *Service
	none    bool // see Config.NoSegments
	facets  segment.Facets
	names   []string // of the facets

	turn   chan struct{} // held by whoever brings the index up to date
	began  atomic.Uint64 // counts attempts at that
	done   uint64        // the latest attempt that succeeded; guarded by turn, as is all below
	shared *segmentView  // what it gave

	index   *segment.Index // nil until it is built
	states  *stateBook
	cursor  int64                           // place in the change log
	ahead   map[[16]byte]bool               // changes taken in from the outbox, which are yet to come in the log
	behind  map[[16]byte]bool               // changes met in the log, which may be in the outbox still
	missing map[privacy.SubjectID]time.Time // told of, and not seen yet: since when
	version segment.Version

	leftOut leftOut

	wanted   chan struct{} // a build is
	progress segmentProgress
}

// segmentView is an index that was up to date at some moment.
type segmentView struct {
	index    *segment.Index
	states   *stateBook
	revision privacy.RevisionID
	at       time.Time
	data     int64     // the number of changes that were taken in: the same number is the same data
	valid    time.Time // until when nothing changes by itself; zero: for good
}

// SegmentProgress is how far the index of this node is.
type SegmentProgress struct {
	Ready    bool          `json:"ready"`
	Subjects int64         `json:"subjects" doc:"People read so far."`
	LeftOut  int           `json:"-"` // people of whom something is damaged
	Took     time.Duration `json:"-"`
	Size     segment.Size  `json:"-"`
}

type segmentProgress struct {
	ready    atomic.Bool
	subjects atomic.Int64
	took     atomic.Int64
	size     atomic.Pointer[segment.Size]
}

func newSegments(s *Service, none bool) *segments {
	g := &segments{service: s, none: none, turn: make(chan struct{}, 1), wanted: make(chan struct{}, 1)}
	g.facets = segmentFacets(s)
	for _, facet := range g.facets {
		g.names = append(g.names, string(facet.Name))
	}
	return g
}

// segmentFacets gives the facets of the catalogue as segments know them.
func segmentFacets(s *Service) segment.Facets {
	var facets segment.Facets
	for _, f := range s.catalogue.Facets() {
		facet := segment.Facet{Name: segment.FacetName(f.Name), Titles: f.Titles, Ordered: f.Ordered}
		for _, source := range f.Sources() {
			facet.Attributes = append(facet.Attributes, source.Name)
		}
		for _, v := range f.Values() {
			facet.Values = append(facet.Values, segment.Value{Name: v.Value, Titles: v.Titles})
		}
		facets = append(facets, facet)
	}
	return facets
}

var (
	errSegmentsNone     = privacy.Unavailable(nil, "segments_elsewhere", "this node keeps no index of segments (--no-segments); ask another")
	errSegmentsBuilding = privacy.Unavailable(nil, "segments_building", "this node is still reading everybody into its index; try again, see /readyz")
	errSegmentsBehind   = privacy.Unavailable(nil, "segments_behind", "this node's index is behind and could not be brought up to date in time; try again")
)

// SegmentProgress tells how far the index of this node is; nil when it keeps none.
func (s *Service) SegmentProgress() *SegmentProgress {
	if s.segments.none {
		return nil
	}
	p := &s.segments.progress
	progress := &SegmentProgress{Ready: p.ready.Load(), Subjects: p.subjects.Load(), LeftOut: s.segments.leftOut.count(), Took: time.Duration(p.took.Load())}
	if size := p.size.Load(); size != nil {
		progress.Size = *size
	}
	if progress.Ready {
		progress.Subjects = int64(progress.Size.Subjects) //nolint:gosec // people
	}
	return progress
}

const (
	segmentsFollow = time.Second     // between looks when nobody asks, so that nobody has to wait for much
	segmentsRetry  = 2 * time.Second // after a build has failed

	segmentsMeasure = 15 * time.Second
)

// RunSegments builds the index, if this node is to have one, and keeps it up to date until ctx ends.
func (s *Service) RunSegments(ctx context.Context) {
	g := s.segments
	if g.none {
		return
	}
	ticker, measure := time.NewTicker(segmentsFollow), time.NewTicker(segmentsMeasure)
	defer ticker.Stop()
	defer measure.Stop()
	g.want()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.wanted:
			for g.build(ctx) != nil {
				retry := time.NewTimer(segmentsRetry)
				select {
				case <-ctx.Done():
					retry.Stop()
					return
				case <-retry.C:
				}
			}
		case <-measure.C:
			g.measure()
		case <-ticker.C:
			if _, err := g.current(ctx); err != nil && ctx.Err() == nil && privacy.KindOf(err) != privacy.KindUnavailable {
				s.log.WarnContext(ctx, "following changes for segments failed; trying again", slog.String("code", privacy.CodeOf(err)))
			}
		}
	}
}

// measure notes how large the index is, for metrics.
func (g *segments) measure() {
	g.turn <- struct{}{}
	index := g.index
	<-g.turn
	if index != nil {
		size := index.Size()
		g.progress.size.Store(&size)
	}
}

// want asks for a build, unless one is asked for.
func (g *segments) want() {
	select {
	case g.wanted <- struct{}{}:
	default:
	}
}

// build reads everybody into a new index, on all processors.
func (g *segments) build(ctx context.Context) (err error) {
	s, start := g.service, time.Now()
	g.progress.ready.Store(false)
	g.progress.subjects.Store(0)
	g.leftOut.begin()
	defer func() {
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "building the index of segments failed; trying again", slog.String("code", privacy.CodeOf(err)))
		}
	}()
	revision, err := s.InForce(ctx)
	if err != nil {
		return err
	}
	purposes := slices.Sorted(maps.Keys(s.policy.Purposes(revision)))
	// What is committed from here on is taken in from the log: the place is read before the first person.
	cursor, behind, err := s.store.FollowFrom(ctx)
	if err != nil {
		return err
	}
	index, states := segment.NewIndex(g.facets, purposes), newStateBook(purposes)
	if err := g.readAll(ctx, segmentReading{g, index, states, 1, s.instant(), index.Load}); err != nil {
		return err
	}
	s.tellLeftOut(ctx, g.leftOut.count())
	index.Settle()
	g.turn <- struct{}{}
	g.index, g.states, g.cursor, g.version = index, states, cursor, 1
	g.ahead, g.behind, g.missing = make(map[[16]byte]bool), behind, make(map[privacy.SubjectID]time.Time)
	<-g.turn
	if _, err := g.current(ctx); err != nil {
		return err
	}
	g.measure()
	size := g.progress.size.Load()
	g.progress.took.Store(int64(time.Since(start)))
	g.progress.ready.Store(true)
	s.log.InfoContext(ctx, "index of segments built", slog.Uint64("subjects", size.Subjects), slog.Int("policy_states", size.States),
		slog.Uint64("bytes", size.Bytes), slog.Duration("took", time.Since(start)))
	return nil
}

// readAll reads the population, unless most of it cannot be read.
func (g *segments) readAll(ctx context.Context, reading segmentReading) error {
	told := newProgressLog(g.service.log, &g.progress.subjects)
	err := g.service.eachRange(ctx, populationReaders(), func(ctx context.Context, _ int, next store.SubjectRange) error {
		found, err := reading.take(ctx, g.service.store.Countables(ctx, next))
		if err != nil {
			return err
		}
		g.progress.subjects.Add(int64(len(found.seen)))
		told.say(ctx)
		return g.leftOut.judge(false)
	})
	if err != nil {
		return err
	}
	return g.leftOut.judge(true)
}

// progressLog says now and then how far a build is.
type progressLog struct {
	log  *slog.Logger
	read *atomic.Int64
	mu   sync.Mutex
	last time.Time
}

const progressEvery = 10 * time.Second

func newProgressLog(log *slog.Logger, read *atomic.Int64) *progressLog {
	return &progressLog{log: log, read: read, last: time.Now()}
}

func (p *progressLog) say(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		p.log.InfoContext(ctx, "building the index of segments", slog.Int64("subjects", p.read.Load()))
	}
}

// current brings the index up to date. Whatever was committed before the call is in it afterwards. Those who ask at the same
// time share one look at the database, as long as it begins after they have asked.
func (g *segments) current(ctx context.Context) (*segmentView, error) {
	if g.none {
		return nil, errSegmentsNone
	}
	asked := g.began.Load()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return nil, errSegmentsBehind
	}
	if g.index == nil {
		return nil, errSegmentsBuilding
	}
	if g.done > asked && g.shared != nil {
		return g.shared, nil
	}
	began := g.began.Add(1)
	view, err := g.follow(ctx)
	if err != nil {
		return nil, err
	}
	g.done, g.shared = began, view
	return view, nil
}

// missingFor is how long somebody whom a change told of may stay unseen: on a distributed database a change may be seen before all of its
// subjects are.
const missingFor = 10 * time.Minute

// follow takes in what was committed since the last time, and those whose time has come.
func (g *segments) follow(ctx context.Context) (*segmentView, error) {
	for {
		changes, err := g.service.store.Follow(ctx, g.cursor)
		if err != nil {
			return nil, err
		}
		at := g.service.instant() // after the snapshot: nothing that was committed later is older than this
		if err := g.purposesKnown(ctx, changes.Revision); err != nil {
			return nil, err
		}
		due := g.index.Due(at)
		if err := g.takeIn(ctx, &changes, due, at); err != nil {
			g.index.Again(due, at)
			return nil, err
		}
		if !changes.More {
			return &segmentView{index: g.index, states: g.states, revision: changes.Revision, at: at, data: g.cursor + int64(len(g.ahead)), valid: g.index.NextDue()}, nil
		}
	}
}

// purposesKnown has the index built anew when a revision has a purpose that it lacks.
func (g *segments) purposesKnown(ctx context.Context, revision privacy.RevisionID) error {
	if err := g.service.LoadRevision(ctx, revision); err != nil {
		return err
	}
	for purpose := range g.service.policy.Purposes(revision) {
		if !slices.Contains(g.index.Purposes(), purpose) {
			g.progress.ready.Store(false)
			g.index, g.shared = nil, nil
			g.want()
			return errSegmentsBuilding
		}
	}
	return nil
}

// takeIn reads again whoever has changed. What was noted about the log counts only when that has succeeded.
func (g *segments) takeIn(ctx context.Context, changes *store.Following, due []privacy.SubjectID, at time.Time) error {
	who := maps.Collect(maps.All(g.missing))
	note := func(ids ...privacy.SubjectID) {
		for _, id := range ids {
			if _, noted := who[id]; !noted && !id.IsZero() {
				who[id] = at
			}
		}
	}
	note(due...)
	for i := range changes.Outbox {
		if c := &changes.Outbox[i]; !g.ahead[c.ID] && !g.behind[c.ID] {
			note(c.Subject)
			note(c.Subjects...)
		}
	}
	for i := range changes.Log {
		c := &changes.Log[i]
		if !g.ahead[c.ID] {
			note(c.Subject)
		}
		note(c.Subjects...) // again: they may lie on different shards, and were not all seen when the change was
	}
	if len(who) > 0 {
		g.version++
	}
	reading := segmentReading{g, g.index, g.states, g.version, at, g.index.Apply}
	for ids := range slices.Chunk(slices.Collect(maps.Keys(who)), 1000) {
		found, err := reading.take(ctx, g.service.store.CountablesOf(ctx, ids))
		if err != nil {
			return err
		}
		g.service.tellLeftOut(ctx, len(found.damaged))
		for _, id := range found.seen {
			delete(who, id)
		}
	}
	maps.DeleteFunc(who, func(_ privacy.SubjectID, since time.Time) bool { return at.Sub(since) > missingFor })
	g.missing = who
	g.met(changes)
	return nil
}

// met notes what is known of the log now. Every change counts once, in the log or ahead of it, so that what two nodes have taken in is the same
// when its number is: the outbox holds a change until after it was logged, and for as long as a relay that died leaves it there.
func (g *segments) met(changes *store.Following) {
	behind := make(map[[16]byte]bool)
	for i := range changes.Outbox {
		if id := changes.Outbox[i].ID; g.behind[id] {
			behind[id] = true
		} else {
			g.ahead[id] = true
		}
	}
	for i := range changes.Log {
		delete(g.ahead, changes.Log[i].ID)
		behind[changes.Log[i].ID] = true
		g.cursor = changes.Log[i].Index
	}
	g.behind = behind
}
