package custody

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Notice is one version of a notice. A published version never changes; a draft is the version to come.
type Notice struct {
	store.Notice
	Body NoticeContent
}

// shownNotice is what consents have to know of a published version.
type shownNotice struct {
	hash      []byte
	validFrom time.Time
	purposes  []privacy.PurposeName
	languages map[string]bool
}

var (
	errUnknownNotice   = privacy.Invalid("unknown_notice", "no such version of that notice was published")
	errNoticeCoverage  = privacy.Invalid("notice_not_for_purpose", "the notice does not explain this purpose; refer to the one that does")
	errBeforeNotice    = privacy.Invalid("consent_before_notice", "the consent is dated before this version of the notice was valid")
	errNoticeLanguage  = privacy.Invalid("notice_not_in_language", "the notice has no variant in that locale")
	errNoticePublished = privacy.Conflict("notice_published", "this version was published and does not change; write the next one")
	errNoticeChanged   = privacy.Conflict("notice_changed", "somebody has changed the draft meanwhile; read it again")
	errNoticeGap       = privacy.Conflict("notice_version_gap", "write the version after the newest one that was published")
	errNoDraft         = privacy.NotFound("notice_not_found", "there is no such version of that notice")
)

// shownNotice reads a version that a consent refers to, nil when it refers to none. What was published stays as it
// is, so it is remembered.
func (s *Service) shownNotice(ctx context.Context, ref NoticeRef) (*shownNotice, error) {
	if ref == (NoticeRef{}) {
		return nil, nil //nolint:nilnil // documented
	}
	if known, ok := s.notices.Load(ref); ok {
		return known.(*shownNotice), nil //nolint:forcetypeassert // only stored below
	}
	row, err := s.store.Notice(ctx, ref)
	if privacy.KindOf(err) == privacy.KindNotFound && err != nil {
		return nil, errUnknownNotice
	}
	if err != nil {
		return nil, err
	}
	notice, err := openNotice(row)
	if err != nil {
		return nil, err
	}
	shown := &shownNotice{hash: notice.Hash, validFrom: notice.ValidFrom, purposes: notice.Body.Purposes, languages: map[string]bool{}}
	for tag := range notice.Body.Variants {
		shown.languages[tag] = true
	}
	s.notices.Store(ref, shown)
	return shown, nil
}

// shown checks the notice that a record refers to, and ties the record to its content.
func (s *Service) shown(ctx context.Context, record *store.ConsentRecord, purpose *policy.Purpose) error {
	notice, err := s.shownNotice(ctx, record.Notice)
	if err != nil || notice == nil {
		return err
	}
	covers := record.Action.AboutStanding() || slices.Contains(notice.purposes, record.Purpose) && (purpose.Notice == "" || purpose.Notice == record.Notice.ID)
	switch {
	case !covers:
		return errNoticeCoverage
	case record.OccurredAt.Before(notice.validFrom):
		return errBeforeNotice
	case record.Locale != "" && !notice.languages[record.Locale]:
		return errNoticeLanguage
	}
	record.NoticeHash = notice.hash
	return nil
}

// openNotice reads the content of a row, and fails when a published one is not what its hash says.
func openNotice(row store.Notice) (Notice, error) {
	notice := Notice{Notice: row}
	if row.Published() && string(noticeHash(row.Content)) != string(row.Hash) {
		return notice, privacy.NewError(privacy.KindInternal, "notice_tampered", "a published notice does not match its hash")
	}
	if err := json.Unmarshal(row.Content, &notice.Body); err != nil {
		return notice, privacy.Internal(nil, "read a notice")
	}
	return notice, nil
}

// NoticeVersion reads a version of a notice, or the draft of the next one. KindNotFound when there is none.
func (s *Service) NoticeVersion(ctx context.Context, ref NoticeRef) (Notice, error) {
	row, err := s.store.Notice(ctx, ref)
	if privacy.KindOf(err) == privacy.KindNotFound && err != nil {
		draft, ok, draftErr := s.store.NoticeDraft(ctx, ref.ID)
		switch {
		case draftErr != nil:
			return Notice{}, draftErr
		case !ok || draft.Version != ref.Version:
			return Notice{}, errNoDraft
		}
		row, err = draft, nil
	}
	if err != nil {
		return Notice{}, err
	}
	return openNotice(row)
}

// NoticeVersions lists the versions of a notice, newest first: the draft, if there is one, before those that were
// published. KindNotFound when there is neither.
func (s *Service) NoticeVersions(ctx context.Context, id string) ([]Notice, error) {
	rows, err := s.store.NoticeVersions(ctx, id)
	if err != nil {
		return nil, err
	}
	draft, ok, err := s.store.NoticeDraft(ctx, id)
	if err != nil {
		return nil, err
	}
	if ok {
		rows = slices.Insert(rows, 0, draft)
	}
	if len(rows) == 0 {
		return nil, errNoDraft
	}
	return openNotices(rows)
}

// Notices lists the newest version of every notice, and all drafts.
func (s *Service) Notices(ctx context.Context) ([]Notice, error) {
	rows, err := s.store.Notices(ctx)
	if err != nil {
		return nil, err
	}
	drafts, err := s.store.NoticeDrafts(ctx)
	if err != nil {
		return nil, err
	}
	return openNotices(append(rows, drafts...))
}

func openNotices(rows []store.Notice) ([]Notice, error) {
	notices := make([]Notice, len(rows))
	for i, row := range rows {
		var err error
		if notices[i], err = openNotice(row); err != nil {
			return nil, err
		}
	}
	return notices, nil
}

// WriteNotice writes the draft of a version. Edit is that of the draft as the writer saw it, 0 when they saw none: who
// would write over what they have not seen gets a conflict, and so does who would change what was published.
func (s *Service) WriteNotice(ctx context.Context, caller Caller, ref NoticeRef, content NoticeContent, edit int32) (Notice, error) {
	if !noticeID.MatchString(ref.ID) {
		return Notice{}, privacy.Invalid("invalid_notice_id", "a notice's id is 1 to 63 small letters, digits, dots, dashes and underscores, and begins with a letter")
	}
	text, err := content.canonical()
	if err != nil {
		return Notice{}, err
	}
	var written store.Notice
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		published, edits, current, err := tx.LockNotice(ctx, ref.ID)
		if err != nil {
			return err
		}
		if err := mayWrite(ref.Version, published, edit, edits, current != nil); err != nil {
			return err
		}
		at := s.instant()
		written = store.Notice{NoticeRef: ref, Content: text, Edit: edits + 1, UpdatedBy: caller.Client, UpdatedAt: at}
		if err := tx.PutNoticeDraft(ctx, &written); err != nil {
			return err
		}
		return s.recordNotice(ctx, tx, caller, audit.ActionNoticeWrite, &written, at)
	})
	if err != nil {
		return Notice{}, err
	}
	return openNotice(written)
}

func mayWrite(version, published, seen, edits int32, drafted bool) error {
	switch {
	case version <= published:
		return errNoticePublished
	case version > published+1:
		return errNoticeGap
	case drafted && seen != edits || !drafted && seen != 0:
		return errNoticeChanged
	}
	return nil
}

// PublishNotice makes the draft of a version, as the publisher saw it, the version for good, valid from the given time: now when
// it is zero. A time that is past is for notices that were in use before they came here.
func (s *Service) PublishNotice(ctx context.Context, caller Caller, ref NoticeRef, edit int32, validFrom time.Time) (Notice, error) {
	var row store.Notice
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		published, edits, current, err := tx.LockNotice(ctx, ref.ID)
		if err != nil {
			return err
		}
		switch {
		case ref.Version <= published:
			return errNoticePublished
		case ref.Version > published+1 || current == nil:
			return errNoDraft
		case edit != edits:
			return errNoticeChanged
		}
		at := s.instant()
		row = store.Notice{NoticeRef: ref, Content: current, Hash: noticeHash(current), ValidFrom: at, PublishedBy: caller.Client, PublishedAt: at}
		if !validFrom.IsZero() {
			row.ValidFrom = validFrom.UTC().Truncate(time.Microsecond)
		}
		if err := tx.PublishNotice(ctx, &row); err != nil {
			return err
		}
		if err := tx.PutNoticeDraft(ctx, &store.Notice{NoticeRef: ref, Edit: edits + 1, UpdatedBy: caller.Client, UpdatedAt: at}); err != nil {
			return err
		}
		return s.recordNotice(ctx, tx, caller, audit.ActionNoticePublish, &row, at)
	})
	if err != nil {
		return Notice{}, err
	}
	return openNotice(row)
}

func (s *Service) recordNotice(ctx context.Context, tx *store.Tx, caller Caller, action audit.Action, notice *store.Notice, at time.Time) error {
	batch, err := s.newBatch(at, []audit.Draft{{Action: action, Client: caller.Client, RequestID: caller.Request, Object: noticeObject(notice.NoticeRef, noticeHash(notice.Content))}})
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, batch)
}
