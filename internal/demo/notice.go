package demo

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// shownText is what people were shown before they were asked: a title and what is done with the data.
type shownText struct{ title, does string }

// notices are the texts for each purpose that people are asked about, in English and Chinese. Each goes by its purpose's name,
// as the purposes of the built-in policy say.
var notices = map[privacy.PurposeName][2]shownText{
	"marketing.email": {{"Marketing by email", "We send you news and offers by email, chosen by what you have bought and looked at."},
		{"电子邮件营销", "我们根据您购买和浏览的内容，通过电子邮件向您发送资讯和优惠。"}},
	"marketing.segment": {{"Planning with group statistics", "We count how many customers share some traits, to plan campaigns. Nobody is singled out."},
		{"营销分群统计", "我们统计具有某些共同特征的客户人数，用于规划营销活动，不会识别到任何个人。"}},
	"analytics.profiling": {{"Analysis of customer behaviour", "We work out from your purchases and your visits what may interest you."},
		{"客户行为分析", "我们根据您的购买和访问情况分析您可能感兴趣的内容。"}},
	"marketing.sms": {{"Marketing by text message", "We send you news and offers by text message, chosen by what you have bought and looked at."},
		{"短信营销", "我们根据您购买和浏览的内容，通过短信向您发送资讯和优惠。"}},
	"ads.personalised": {{"Personalised advertising", "An advertising service that works for us shows you advertisements that fit your interests, on other web sites and in other apps too."},
		{"个性化广告", "为我们服务的广告平台会根据您的兴趣向您展示广告，包括在其他网站和应用中。"}},
	"sales.outreach": {{"Calls about products and offers", "Our sales staff call or write to you about products and offers that may suit you."},
		{"销售联络", "我们的销售人员会就可能适合您的产品和优惠与您联系。"}},
}

const (
	english = "en"
	chinese = "zh"
)

// noticeOf names the notice that somebody asked about a purpose was shown.
func noticeOf(purpose privacy.PurposeName) custody.NoticeRef {
	return custody.NoticeRef{ID: string(purpose), Version: 1}
}

func languageOf(home *land) string {
	if home.country == "CN" {
		return chinese
	}
	return english
}

func noticeContent(purpose privacy.PurposeName, texts [2]shownText) custody.NoticeContent {
	return custody.NoticeContent{
		Contact: "privacy@example.com", Controller: "Example Controller", Purposes: []privacy.PurposeName{purpose}, Retention: "P3Y",
		Rights: []string{"access", "erasure", "objection", "withdrawal", "complaint"},
		Variants: map[string]custody.NoticeVariant{
			english: {Title: texts[0].title, Text: texts[0].does + "\n\nYou can withdraw your consent at any time, as easily as you gave it. What was done until then stays lawful."},
			chinese: {Title: texts[1].title, Text: texts[1].does + "\n\n您可以随时撤回同意，撤回与给予同意同样便捷，且不影响撤回前已进行的处理的合法性。"},
		}}
}

// publish publishes the notices that are not there yet, as in use since before anybody was asked: the newest decision is of the time given.
func (l *loader) publish(ctx context.Context, newest time.Time) error {
	for _, lean := range leanings {
		ref := noticeOf(lean.purpose)
		versions, err := l.service.NoticeVersions(ctx, ref.ID)
		switch {
		case err != nil && privacy.KindOf(err) != privacy.KindNotFound:
			return err
		case len(versions) > 0 && versions[len(versions)-1].Published():
			continue
		}
		var edit int32
		if len(versions) > 0 {
			edit = versions[0].Edit // a draft that an interruption left
		}
		draft, err := l.service.WriteNotice(ctx, l.caller, ref, noticeContent(lean.purpose, notices[lean.purpose]), edit)
		if err != nil {
			return err
		}
		if _, err := l.service.PublishNotice(ctx, l.caller, ref, draft.Edit, newest.AddDate(-inUse, 0, 0)); err != nil {
			return err
		}
	}
	return nil
}

// inUse is for how many years the notices had been in use when the newest decision was taken: no decision here is a thousand days older.
const inUse = 3
