package demo

// English family names come from the faker; its given names do not say whose they are.
var (
	englishMen = names(`James Oliver George Harry Jack Noah Charlie Thomas William Daniel Michael David Robert Joseph Christopher
		Matthew Anthony Andrew Joshua Kevin Brian Samuel Mohammed Ethan Liam Carlos Marcus`)
	englishWomen = names(`Emma Olivia Amelia Isla Ava Mia Grace Emily Charlotte Jessica Mary Patricia Jennifer Linda Elizabeth Susan
		Sarah Karen Lisa Nancy Ashley Michelle Amanda Maria Aisha Chloe Hannah`)
	americanStreets   = []string{"Main Street", "Oak Avenue", "Maple Drive", "Elm Street", "Washington Boulevard", "Lake Road", "Sunset Lane", "2nd Avenue"}
	americanCompanies = []string{"%s Inc.", "%s LLC", "%s & Associates", "%s Brothers Corp."}
)

// North American numbers 555-0100 to 555-0199 are nobody's.
var california = land{
	country: "US", language: "en-US", weight: 65,
	places: []place{
		{"Los Angeles", "CA", "900##", 6}, {"San Francisco", "CA", "941##", 5}, {"San Diego", "CA", "921##", 3}, {"Sacramento", "CA", "958##", 2}, {"San José", "CA", "951##", 3},
	},
	phones: []string{"+121355501##", "+131055501##", "+140855501##", "+141555501##", "+161955501##", "+191655501##"},
	male:   englishMen, female: englishWomen,
	fullName: "%[1]s %[2]s", streets: americanStreets, address: "%[2]d %[1]s", companies: americanCompanies,
	income: 72000, grants: 0.8,
}

var america = land{
	country: "US", language: "en-US", weight: 55,
	places: []place{
		{"New York", "NY", "100##", 6}, {"Chicago", "IL", "606##", 4}, {"Houston", "TX", "770##", 3}, {"Austin", "TX", "787##", 2},
		{"Seattle", "WA", "981##", 3}, {"Boston", "MA", "021##", 2}, {"Miami", "FL", "331##", 2},
	},
	phones: []string{"+121255501##", "+120655501##", "+131255501##", "+151255501##", "+161755501##", "+130555501##"},
	male:   englishMen, female: englishWomen,
	fullName: "%[1]s %[2]s", streets: americanStreets, address: "%[2]d %[1]s", companies: americanCompanies,
	income: 62000, grants: 0.8,
}

var brazil = land{
	country: "BR", language: "pt-BR", weight: 45,
	places: []place{
		{"São Paulo", "São Paulo", "01###-###", 8}, {"Campinas", "São Paulo", "13###-###", 2}, {"Rio de Janeiro", "Rio de Janeiro", "20###-###", 5},
		{"Belo Horizonte", "Minas Gerais", "30###-###", 3}, {"Curitiba", "Paraná", "80###-###", 2}, {"Salvador", "Bahia", "40###-###", 2},
	},
	phones: []string{"+551199#######", "+552199#######", "+553199#######", "+554199#######", "+557199#######"},
	family: names(`Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro Martins Carvalho Almeida Araújo:araujo Barbosa Nakamura`),
	male:   names(`João:joao Pedro Lucas Gabriel Rafael Felipe Bruno Marcos Paulo Carlos Thiago Gustavo Antônio:antonio`),
	female: names(`Maria Ana Juliana Fernanda Camila Larissa Beatriz Letícia:leticia Patrícia:patricia Mariana Aline Luciana Helena`),

	fullName: "%[1]s %[2]s",
	streets:  []string{"Rua das Flores", "Rua Sete de Setembro", "Avenida Brasil", "Rua São João", "Avenida Getúlio Vargas", "Rua do Comércio"},
	address:  "%[1]s, %[2]d", companies: []string{"%s Ltda.", "%s S.A.", "Comércio %s Ltda.", "Irmãos %s"},
	income: 17000, grants: 1.1,
}

var japan = land{
	country: "JP", language: "ja-JP", weight: 30,
	places: []place{
		{"新宿区", "東京都", "160-00##", 6}, {"世田谷区", "東京都", "154-00##", 4}, {"大阪市", "大阪府", "530-00##", 4}, {"横浜市", "神奈川県", "220-00##", 3},
		{"名古屋市", "愛知県", "460-00##", 3}, {"福岡市", "福岡県", "810-00##", 2}, {"札幌市", "北海道", "060-00##", 2},
	},
	phones: []string{"+818031######", "+819031######", "+819065######", "+817041######"},
	family: names(`佐藤:sato 鈴木:suzuki 高橋:takahashi 田中:tanaka 伊藤:ito 渡辺:watanabe 山本:yamamoto 中村:nakamura 小林:kobayashi 加藤:kato 吉田:yoshida 山田:yamada 松本:matsumoto`),
	male:   names(`翔太:shota 大輔:daisuke 健一:kenichi 蓮:ren 拓也:takuya 陽翔:haruto 誠:makoto 直樹:naoki 隆:takashi 悠真:yuma`),
	female: names(`陽菜:hina 美咲:misaki 結衣:yui 葵:aoi 恵子:keiko 裕子:yuko 真由美:mayumi さくら:sakura 愛:ai 千尋:chihiro`),

	familyFirst: true, fullName: "%[2]s %[1]s",
	streets: []string{"本町", "栄町", "中央", "緑町", "桜台", "旭町"},
	address: "%[1]s%[2]d番地", companies: []string{"株式会社%s", "%s製作所", "%s商事株式会社", "有限会社%s"},
	income: 34000, grants: 0.9,
}

var singapore = land{
	country: "SG", language: "en-SG", weight: 20,
	places: []place{{"Singapore", "Singapore", "23####", 1}},
	phones: []string{"+6591######", "+6581######", "+6582######", "+6597######"},
	family: names(`Tan Lim Lee Ng Ong Wong Goh Chua Chan Koh Teo Kumar Nair Rahman Ismail`),
	male:   names(`Wei-Ming Jun-Jie Kok-Leong Daniel Marcus Ryan Arjun Rajesh Farhan Hafiz Jonathan Boon-Keng`),
	female: names(`Hui-Min Xin-Yi Mei-Ling Rachel Nicole Sarah Priya Deepa Nurul Siti Michelle Jia-Hui`),

	fullName: "%[1]s %[2]s",
	streets:  []string{"Orchard Road", "Bukit Timah Road", "Serangoon Avenue", "Clementi Street", "Tampines Avenue", "Bedok North Road"},
	address:  "%[2]d %[1]s", companies: []string{"%s Pte. Ltd.", "%s Trading Pte. Ltd.", "%s & Co."},
	income: 52000, grants: 1,
}

var quebec = land{
	country: "CA", language: "fr-CA", weight: 20,
	places: []place{{"Montréal", "QC", "H#? #?#", 6}, {"Québec", "QC", "G#? #?#", 3}, {"Laval", "QC", "H#? #?#", 2}, {"Gatineau", "QC", "J#? #?#", 2}},
	phones: []string{"+151455501##", "+143855501##", "+141855501##", "+181955501##"},
	family: names(`Tremblay Gagnon Roy Côté:cote Bouchard Gauthier Morin Lavoie Fortin Gagné:gagne Ouellet Pelletier Bélanger:belanger Nguyen`),
	male:   names(`Jean-François:jeanfrancois Mathieu Alexandre Samuel William Olivier Maxime Étienne:etienne Louis Guy`),
	female: names(`Marie-Ève:marieeve Audrey Geneviève:genevieve Valérie:valerie Jade Florence Émilie:emilie Sylvie Rosalie Mélanie:melanie`),

	fullName: "%[1]s %[2]s",
	streets:  []string{"rue Saint-Denis", "avenue du Parc", "rue Sherbrooke", "chemin Sainte-Foy", "boulevard Laurier", "rue des Érables"},
	address:  "%[2]d, %[1]s", companies: []string{"%s inc.", "Groupe %s inc.", "Les Entreprises %s ltée"},
	income: 43000, grants: 0.9,
}
