package demo

import (
	"fmt"
	"math"

	"github.com/consentry/consentry/internal/privacy"
)

func (s *sketch) drawPerson() {
	s.put("given_name", s.given.written)
	s.put("family_name", s.family.written)
	s.put("full_name", fmt.Sprintf(s.land.fullName, s.given.written, s.family.written))
	if s.has(0.92) {
		s.put("gender", s.gender)
	}
	s.drawBirth()
	s.put("email", s.email)
	if s.phone != "" {
		s.put("phone", s.phone)
	}
	if s.has(0.95) {
		s.put("language", s.land.language)
	}
	channels := []string{"email", "email", "sms", "phone", "post", "app"}
	if s.land.country == "CN" {
		channels = []string{"wechat", "wechat", "sms", "email", "app"}
	}
	if s.has(0.5) {
		s.put("preferred_channel", pick(s.dice, channels))
	}
	if s.land.country == "CN" && s.has(0.5) {
		s.put("wechat_id", fmt.Sprintf("wx_%s%04d", s.given.latin, s.index+1))
	}
}

// drawBirth tells the birthday of minors always, of adults mostly, of some the year, of a few nothing.
func (s *sketch) drawBirth() {
	switch at := s.Float64(); {
	case !s.adult() || s.known || at < 0.88:
		s.put("birth_date", date(s.born))
	case at < 0.95:
		s.put("birth_year", s.born.Year())
	}
}

func (s *sketch) drawAddress() {
	s.put("country", s.land.country)
	s.put("province", s.home.province)
	s.put("city", s.home.city)
	if s.has(0.75) {
		s.put("street_address", fmt.Sprintf(s.land.address, pick(s.dice, s.land.streets), s.between(1, 199)))
		s.put("postcode", s.fill(s.home.postcode))
	}
}

// industry is where people work, what a company of it is called in Chinese, and how it pays beside the median.
type industry struct {
	name        string // the same everywhere, so that people can be counted by it
	company     string
	pay         float64
	weight      int
	occupations []term
}

var industries = []industry{
	{"technology", "科技", 1.6, 14, []term{{"software engineer", "软件工程师"}, {"data analyst", "数据分析师"}, {"product manager", "产品经理"}}},
	{"manufacturing", "制造", 1.0, 16, []term{{"mechanical engineer", "机械工程师"}, {"production planner", "生产计划员"}, {"quality inspector", "质检员"}}},
	{"retail", "商贸", 0.8, 13, []term{{"shop manager", "店长"}, {"sales assistant", "导购员"}, {"buyer", "采购员"}}},
	{"finance", "金融", 1.5, 9, []term{{"accountant", "会计"}, {"credit analyst", "信贷分析师"}, {"insurance adviser", "保险顾问"}}},
	{"health care", "医疗", 1.1, 10, []term{{"nurse", "护士"}, {"pharmacist", "药师"}, {"physician", "医生"}}},
	{"education", "教育", 0.9, 10, []term{{"teacher", "教师"}, {"lecturer", "讲师"}, {"school secretary", "教务员"}}},
	{"logistics", "物流", 0.8, 8, []term{{"driver", "司机"}, {"dispatcher", "调度员"}, {"warehouse manager", "仓库主管"}}},
	{"hospitality", "餐饮", 0.7, 7, []term{{"cook", "厨师"}, {"hotel manager", "酒店经理"}, {"waiter", "服务员"}}},
	{"construction", "建筑", 1.0, 6, []term{{"architect", "建筑师"}, {"electrician", "电工"}, {"site manager", "工地主管"}}},
	{"public service", "服务", 1.0, 7, []term{{"civil servant", "公务员"}, {"librarian", "图书管理员"}, {"social worker", "社会工作者"}}},
}

// rank is how senior somebody is, as a word before the occupation.
var ranks = []struct {
	title term
	pay   float64
}{{term{"Junior ", "初级"}, 0.75}, {term{"", ""}, 1}, {term{"Senior ", "高级"}, 1.35}, {term{"Lead ", "首席"}, 1.8}}

func (s *sketch) drawWork() {
	if !s.adult() {
		s.put("occupation", s.land.say(term{"pupil", "学生"}))
		return
	}
	field := industries[weighted(s.dice, len(industries), func(i int) int { return industries[i].weight })]
	rank := ranks[min(max(int(float64(s.age-20)/13+0.8*s.NormFloat64()), 0), len(ranks)-1)]
	schooling := s.drawEducation(field.pay * rank.pay)
	income := s.logNormal(s.land.income*field.pay*rank.pay*schooling, 0.3)
	occupation := s.land.say(pick(s.dice, field.occupations))
	if s.age > 66 && !s.known {
		s.put("occupation", s.land.say(term{"retired", "退休"}))
		income /= 2
	} else if s.has(0.85) {
		s.put("occupation", occupation)
		s.put("industry", field.name)
		if s.has(0.7) {
			s.put("company", s.company(field))
			s.put("job_title", s.land.say(rank.title)+occupation)
		}
	}
	if s.has(0.6) {
		s.income = math.Round(income/100) * 100
		s.put("income", cents(s.income*100))
	}
}

func (s *sketch) company(field industry) string {
	pattern := pick(s.dice, s.land.companies)
	if s.land.country == "CN" {
		return fmt.Sprintf(pattern, field.company)
	}
	return fmt.Sprintf(pattern, newFamily(s.dice, s.land).written)
}

// drawEducation gives what the education adds to the income.
func (s *sketch) drawEducation(pay float64) float64 {
	levels := []term{{"secondary", "高中"}, {"vocational", "大专"}, {"bachelor", "本科"}, {"master", "硕士"}, {"doctorate", "博士"}}
	level := min(max(int(1.1+0.6*pay+0.9*s.NormFloat64()), 0), len(levels)-1)
	if s.has(0.6) {
		s.put("education", s.land.say(levels[level]))
	}
	return 0.8 + 0.12*float64(level)
}

func (s *sketch) drawHousehold() {
	if !s.adult() || !s.has(0.55) {
		return
	}
	together := s.chance(0.15 + 0.55*min(float64(s.age-18)/20, 1))
	status, size := term{"single", "未婚"}, 1
	switch {
	case together:
		status, size = pick(s.dice, []term{{"married", "已婚"}, {"married", "已婚"}, {"partnered", "同居"}}), 2
	case s.age > 35 && s.chance(0.4):
		status = term{"divorced", "离异"}
	case s.age > 65 && s.chance(0.6):
		status = term{"widowed", "丧偶"}
	}
	small, teens := 0, 0
	if together && s.age < 50 && s.chance(0.6) {
		small = s.between(0, 2)
	}
	if together && s.age > 34 && s.age < 60 && s.chance(0.5) {
		teens = s.between(0, 2)
	}
	s.put("marital_status", s.land.say(status))
	s.put("household_size", size+small+teens)
	s.put("children_home", small)
	s.put("teens_home", teens)
}

var (
	interests = []term{{"travel", "旅行"}, {"cooking", "美食"}, {"hiking", "登山"}, {"photography", "摄影"}, {"reading", "阅读"}, {"running", "跑步"},
		{"gaming", "游戏"}, {"music", "音乐"}, {"gardening", "园艺"}, {"fashion", "时尚"}, {"technology", "数码"}, {"football", "足球"}, {"tea", "茶道"}, {"yoga", "瑜伽"}}
	values = []term{{"price", "价格"}, {"quality", "品质"}, {"sustainability", "环保"}, {"convenience", "便利"}, {"service", "服务"}, {"brand", "品牌"}, {"health", "健康"}}
)

func (s *sketch) drawTaste() {
	s.putSome("interests", 0.55, interests, 4)
	s.putSome("values", 0.35, values, 3)
}

func (s *sketch) putSome(attribute privacy.AttributeName, share float64, from []term, most int) {
	if !s.has(share) {
		return
	}
	var words []string
	for _, t := range some(s.dice, from, s.between(1, most)) {
		words = append(words, s.land.say(t))
	}
	s.put(attribute, words)
}

// drawSensitive gives few people what most never tell.
func (s *sketch) drawSensitive() {
	if s.has(0.06) {
		s.put("health_notes", s.land.say(pick(s.dice, []term{{"Allergic to nuts.", "对坚果过敏。"}, {"Uses a wheelchair; needs step-free delivery.", "使用轮椅，送货需无台阶通道。"},
			{"Lactose intolerant.", "乳糖不耐受。"}, {"Has diabetes type 2.", "患有2型糖尿病。"}, {"Sensitive to perfume.", "对香水敏感。"}})))
	}
	if s.has(0.04) {
		s.put("religion", s.land.say(pick(s.dice, []term{{"Catholic", "天主教"}, {"Protestant", "基督教"}, {"Muslim", "伊斯兰教"}, {"Buddhist", "佛教"}, {"none", "无"}})))
	}
	if s.has(0.05) {
		s.put("government_id", fmt.Sprintf("DEMO-%s-%07d", s.land.country, s.index+1)) // no country numbers its papers so
	}
	if s.has(0.12) {
		s.put("nationality", s.land.country)
	}
}
