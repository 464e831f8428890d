package demo

var china = land{
	country: "CN", language: "zh-CN", weight: 500,
	places: []place{
		{"上海市", "上海市", "200###", 12}, {"北京市", "北京市", "100###", 11}, {"深圳市", "广东省", "518###", 9},
		{"广州市", "广东省", "510###", 8}, {"佛山市", "广东省", "528###", 3}, {"杭州市", "浙江省", "310###", 7},
		{"宁波市", "浙江省", "315###", 4}, {"南京市", "江苏省", "210###", 5}, {"苏州市", "江苏省", "215###", 5},
		{"成都市", "四川省", "610###", 7}, {"重庆市", "重庆市", "400###", 6}, {"武汉市", "湖北省", "430###", 5},
		{"西安市", "陕西省", "710###", 4}, {"天津市", "天津市", "300###", 4}, {"青岛市", "山东省", "266###", 4},
		{"济南市", "山东省", "250###", 3}, {"长沙市", "湖南省", "410###", 4}, {"郑州市", "河南省", "450###", 4},
		{"厦门市", "福建省", "361###", 3}, {"福州市", "福建省", "350###", 2}, {"合肥市", "安徽省", "230###", 3},
		{"大连市", "辽宁省", "116###", 3}, {"昆明市", "云南省", "650###", 2}, {"哈尔滨市", "黑龙江省", "150###", 2},
	},
	phones: []string{"+86135########", "+86138########", "+86139########", "+86150########", "+86177########", "+86186########", "+86188########"},
	family: names(`王:wang 李:li 张:zhang 刘:liu 陈:chen 杨:yang 黄:huang 赵:zhao 周:zhou 吴:wu 徐:xu 孙:sun 马:ma 朱:zhu 胡:hu
		郭:guo 何:he 林:lin 高:gao 罗:luo 郑:zheng 梁:liang 谢:xie 宋:song 唐:tang 许:xu 邓:deng 韩:han 冯:feng 曹:cao 欧阳:ouyang`),
	male: names(`伟:wei 强:qiang 磊:lei 军:jun 勇:yong 杰:jie 涛:tao 明:ming 超:chao 俊:jun 建国:jianguo 志强:zhiqiang 浩然:haoran
		子轩:zixuan 宇航:yuhang 文博:wenbo 一鸣:yiming 海波:haibo 国栋:guodong 晓东:xiaodong 天佑:tianyou 思远:siyuan 家豪:jiahao 瑞:rui`),
	female: names(`芳:fang 娜:na 敏:min 静:jing 丽:li 艳:yan 娟:juan 霞:xia 燕:yan 玲:ling 秀英:xiuying 桂兰:guilan 雨桐:yutong
		欣怡:xinyi 梓涵:zihan 诗涵:shihan 佳琪:jiaqi 晓梅:xiaomei 美玲:meiling 婷婷:tingting 思琪:siqi 雅婷:yating 梦瑶:mengyao 慧:hui`),
	familyFirst: true,
	fullName:    "%[2]s%[1]s",
	streets:     []string{"人民路", "解放路", "中山路", "建设路", "和平路", "新华路", "文化路", "滨江大道", "长江路", "花园街", "学院路", "朝阳街"},
	address:     "%[1]s%[2]d号",
	companies:   []string{"恒瑞丰%s有限公司", "嘉禾远%s有限公司", "明博%s有限公司", "天成锦%s有限公司", "鸿益达%s集团", "云帆泰%s有限公司", "禾木%s有限公司", "启晨%s有限公司"},
	income:      26000, grants: 1.1,
}
