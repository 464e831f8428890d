package policy

import (
	"fmt"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// phrase names a sentence that officers read.
type phrase string

// phrases are the sentences, in English and in Chinese. Names stand in backquotes, so that they stay recognisable.
type phrases map[phrase]string

func phrasesIn(lang string) phrases {
	if lang == "zh" || strings.HasPrefix(strings.ToLower(lang), "zh-") {
		return chinese
	}
	return english
}

func (p phrases) say(name phrase, args ...any) string { return fmt.Sprintf(p[name], args...) }

// mode says in which form something is seen.
func (p phrases) mode(mode privacy.Mode) string {
	if text, known := p[phrase("mode."+string(mode))]; known {
		return text
	}
	return p["mode.other"]
}

var english = phrases{
	"mode.plain": "in plain", "mode.generalise": "generalised", "mode.mask": "masked", "mode.tokenise": "as a token",
	"mode.aggregate": "in aggregates only", "mode.deny": "not at all", "mode.": "not at all", "mode.other": "in a form that is not known",
	"list": ", ", "yes": "yes", "no": "no", "nothing": "nothing", "long": "another value",

	"access.lost":    "`%[1]s` may no longer see `%[2]s` %[3]s for `%[4]s`.",
	"access.gained":  "`%[1]s` may now see `%[2]s` %[5]s for `%[4]s`.",
	"access.changed": "`%[1]s` now sees `%[2]s` %[5]s instead of %[3]s for `%[4]s`.",
	"cell.idle":      "For `%[2]s`, which no client may ask for, `%[1]s` is now to be seen %[4]s instead of %[3]s.",
	"cell.same":      "For `%[2]s`, `%[1]s` is written differently, and still is to be seen %[4]s.",
	"grant.added":    "`%[1]s` may now ask for `%[2]s` and sees %[3]s.",
	"grant.removed":  "`%[1]s` may no longer ask for `%[2]s`; it saw %[3]s.",
	"grant.same":     "The grants of `%[1]s` are written differently and cover the same purposes.",

	"purpose.added":          "Purpose `%[1]s` is new.",
	"purpose.removed":        "Purpose `%[1]s` is gone; nobody may ask for it any more.",
	"purpose.notice.raised":  "Purpose `%[1]s` now needs notice version %[3]s (before: %[2]s); consents given on an older one no longer count.",
	"purpose.notice.lowered": "Purpose `%[1]s` now needs notice version %[3]s only (before: %[2]s).",
	"purpose.basis":          "Purpose `%[1]s` now rests on %[4]s under `%[2]s` (before: %[3]s).",
	"purpose.basis.added":    "Purpose `%[1]s` now rests on %[4]s under `%[2]s`, no longer on its default basis.",
	"purpose.basis.removed":  "Purpose `%[1]s` no longer rests on %[3]s under `%[2]s`, but on its default basis.",
	"purpose.flag.on":        "Purpose `%[1]s` now counts as: %[2]s.",
	"purpose.flag.off":       "Purpose `%[1]s` no longer counts as: %[2]s.",
	"flag.marketing":         "marketing", "flag.profiling": "profiling", "flag.automated_decision": "a decision without a human",
	"flag.cross_context": "advertising across contexts", "flag.online_platform": "on an online platform",
	"flag.children_likely": "likely to address children", "flag.aggregates_only": "answered in aggregates alone",
	"flag.legal_claims": "serving legal claims", "flag.necessity_recorded": "necessary, as recorded, for sensitive data",
	"flag.limit_exempt": "exempt from the right to limit", "flag.foreign_authority": "answering a foreign authority",

	"client.added": "Client `%[1]s` is new.", "client.removed": "Client `%[1]s` is gone; it may ask for nothing any more.",
	"attribute.added": "Attribute `%[1]s` is new.", "attribute.removed": "Attribute `%[1]s` is gone; nobody may see it any more.",
	"place": "People in `%[1]s` now come under `%[3]s` (before: `%[2]s`).", "place.added": "People in `%[1]s` now come under `%[3]s`.",
	"place.removed": "People in `%[1]s` no longer come under `%[2]s`; what applies to them is the strictest.",
	"law.added":     "The law `%[1]s` is new.", "law.removed": "The law `%[1]s` is gone; the strictest applies instead.",
	"role.added":   "Role `%[1]s` may now call `%[2]s`.",
	"role.removed": "Role `%[1]s` may no longer call `%[2]s`.",
	"own.added":    "People may now call `%[1]s` for themselves.", "own.removed": "People may no longer call `%[1]s` for themselves.",

	"field.changed": "%[1]s `%[2]s`: `%[3]s` is now %[5]s (before: %[4]s).",
	"field.added":   "%[1]s `%[2]s`: `%[3]s` is now %[5]s.",
	"field.removed": "%[1]s `%[2]s`: `%[3]s` is gone (before: %[4]s).",
	"row.added":     "%[1]s `%[2]s` is new.", "row.removed": "%[1]s `%[2]s` is gone.", "row.changed": "%[1]s `%[2]s` has changed.",
	"table.purposes": "Purpose", "table.clients": "Client", "table.attributes": "Attribute", "table.operations": "Operation", "table.laws": "Law",
	"table.regimes": "Regimes", "table.other": "Table `%[1]s`, row",
	"table.whole.added": "Table `%[1]s` is new.", "table.whole.removed": "Table `%[1]s` is gone.", "table.whole.changed": "Table `%[1]s` has changed.",

	"module.added": "Module `%[1]s` is new, with %[2]d lines.", "module.removed": "Module `%[1]s` is gone, with its %[3]d lines.",
	"module.changed": "Module `%[1]s` has changed: lines added %[2]d, removed %[3]d.",
	"tests.added":    "Test module `%[1]s` is new, with %[2]d lines.", "tests.removed": "Test module `%[1]s` is gone, with its %[3]d lines.",
	"tests.changed": "Test module `%[1]s` has changed: lines added %[2]d, removed %[3]d.",
	"case.added":    "Case “%[1]s” is new.", "case.removed": "Case “%[1]s” is gone.", "case.changed": "Case “%[1]s” has changed.",
}

var chinese = phrases{
	"mode.plain": "明文", "mode.generalise": "概化值", "mode.mask": "掩码值", "mode.tokenise": "令牌",
	"mode.aggregate": "汇总数", "mode.deny": "不可见", "mode.": "不可见", "mode.other": "未知形式",
	"list": "、", "yes": "是", "no": "否", "nothing": "无", "long": "其他值",

	"access.lost":    "`%[1]s` 今后不得为 `%[4]s` 查看 `%[2]s`（原为%[3]s）。",
	"access.gained":  "`%[1]s` 今后可为 `%[4]s` 查看 `%[2]s`（%[5]s）。",
	"access.changed": "`%[1]s` 为 `%[4]s` 查看 `%[2]s` 时，由%[3]s改为%[5]s。",
	"cell.idle":      "`%[2]s`（目前没有客户端可申请）的 `%[1]s` 由%[3]s改为%[4]s。",
	"cell.same":      "`%[2]s` 的 `%[1]s` 写法有变，仍为%[4]s。",
	"grant.added":    "`%[1]s` 今后可申请 `%[2]s`，可见：%[3]s。",
	"grant.removed":  "`%[1]s` 今后不得申请 `%[2]s`；原可见：%[3]s。",
	"grant.same":     "`%[1]s` 的授权写法有变，所涵盖的目的不变。",

	"purpose.added":          "新增目的 `%[1]s`。",
	"purpose.removed":        "目的 `%[1]s` 已删除，任何人不得再申请。",
	"purpose.notice.raised":  "目的 `%[1]s` 今后须告知第 %[3]s 版（原为第 %[2]s 版）；基于更早版本的同意不再有效。",
	"purpose.notice.lowered": "目的 `%[1]s` 今后只须告知第 %[3]s 版（原为第 %[2]s 版）。",
	"purpose.basis":          "在 `%[2]s` 下，目的 `%[1]s` 的合法性基础由%[3]s改为%[4]s。",
	"purpose.basis.added":    "在 `%[2]s` 下，目的 `%[1]s` 的合法性基础由默认改为%[4]s。",
	"purpose.basis.removed":  "在 `%[2]s` 下，目的 `%[1]s` 的合法性基础由%[3]s改为默认。",
	"purpose.flag.on":        "目的 `%[1]s` 今后视为：%[2]s。",
	"purpose.flag.off":       "目的 `%[1]s` 不再视为：%[2]s。",
	"flag.marketing":         "营销", "flag.profiling": "用户画像", "flag.automated_decision": "自动化决策",
	"flag.cross_context": "跨场景广告", "flag.online_platform": "在线平台",
	"flag.children_likely": "可能面向儿童", "flag.aggregates_only": "仅提供汇总数",
	"flag.legal_claims": "用于法律主张", "flag.necessity_recorded": "已记录敏感信息的必要性",
	"flag.limit_exempt": "不受限制使用权约束", "flag.foreign_authority": "答复境外机构",

	"client.added": "新增客户端 `%[1]s`。", "client.removed": "客户端 `%[1]s` 已删除，不得再申请任何目的。",
	"attribute.added": "新增属性 `%[1]s`。", "attribute.removed": "属性 `%[1]s` 已删除，任何人不得再查看。",
	"place": "`%[1]s` 的个人改为适用 `%[3]s`（原为 `%[2]s`）。", "place.added": "`%[1]s` 的个人今后适用 `%[3]s`。",
	"place.removed": "`%[1]s` 的个人不再适用 `%[2]s`，改为适用最严格的规则。",
	"law.added":     "新增法律 `%[1]s`。", "law.removed": "法律 `%[1]s` 已删除，改为适用最严格的规则。",
	"role.added":   "角色 `%[1]s` 今后可调用 `%[2]s`。",
	"role.removed": "角色 `%[1]s` 今后不得调用 `%[2]s`。",
	"own.added":    "个人今后可为自己调用 `%[1]s`。", "own.removed": "个人今后不得为自己调用 `%[1]s`。",

	"field.changed": "%[1]s `%[2]s`：`%[3]s` 由%[4]s改为%[5]s。",
	"field.added":   "%[1]s `%[2]s`：`%[3]s` 现为%[5]s。",
	"field.removed": "%[1]s `%[2]s`：`%[3]s` 已删除（原为%[4]s）。",
	"row.added":     "新增%[1]s `%[2]s`。", "row.removed": "%[1]s `%[2]s` 已删除。", "row.changed": "%[1]s `%[2]s` 有变。",
	"table.purposes": "目的", "table.clients": "客户端", "table.attributes": "属性", "table.operations": "操作", "table.laws": "法律",
	"table.regimes": "法域", "table.other": "表 `%[1]s` 的行",
	"table.whole.added": "新增表 `%[1]s`。", "table.whole.removed": "表 `%[1]s` 已删除。", "table.whole.changed": "表 `%[1]s` 有变。",

	"module.added": "新增模块 `%[1]s`，共 %[2]d 行。", "module.removed": "模块 `%[1]s` 已删除，原有 %[3]d 行。",
	"module.changed": "模块 `%[1]s` 有变：增加 %[2]d 行，删除 %[3]d 行。",
	"tests.added":    "新增测试模块 `%[1]s`，共 %[2]d 行。", "tests.removed": "测试模块 `%[1]s` 已删除，原有 %[3]d 行。",
	"tests.changed": "测试模块 `%[1]s` 有变：增加 %[2]d 行，删除 %[3]d 行。",
	"case.added":    "新增用例“%[1]s”。", "case.removed": "用例“%[1]s”已删除。", "case.changed": "用例“%[1]s”有变。",
}
