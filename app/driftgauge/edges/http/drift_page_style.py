"""Style of the drift page: light and dark, a table on a wide screen and cards on a narrow one."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--text:#1b1f24;--soft:#5c6672;--line:#e2e6ea;--back:#fff;--card:#f7f8fa;--link:#0b5cad;
--red:#b3261e;--red-back:#fdecea;--amber:#8a5300;--amber-back:#fff3d9;--blue:#0b5cad;--blue-back:#e6f1fc;
--green:#1a6f3c;--green-back:#e5f5ea;--grey:#5c6672;--grey-back:#eceff2}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--soft:#9aa5b1;--line:#2e353d;--back:#14181d;--card:#1b2026;
--link:#7cb8f5;--red:#ff9d94;--red-back:#47201d;--amber:#f5c26b;--amber-back:#43310f;--blue:#8cc2fa;--blue-back:#17324d;
--green:#86d9a3;--green-back:#173825;--grey:#aab4bf;--grey-back:#2a3138}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1.25rem 3rem}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
small{display:block;font-size:.8rem;line-height:1.35;color:var(--soft);font-weight:400}
h1{display:flex;flex-wrap:wrap;align-items:center;gap:.7rem;margin:.1rem 0 .4rem;font-size:1.7rem;line-height:1.2}
h2{display:inline;margin:0;font-size:1.05rem}
header{padding:1.1rem 1.25rem;background:var(--card);border:1px solid var(--line);border-left:5px solid var(--green);
border-radius:8px;overflow-wrap:anywhere}
header.critical{border-left-color:var(--red)}header.warning{border-left-color:var(--amber)}
header.info{border-left-color:var(--blue)}header.insufficient_data{border-left-color:var(--grey)}
.model{margin:0;font-weight:600}.model span{color:var(--soft);font-weight:400}
.reason{margin:0 0 1rem;font-size:1.05rem}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:0}
.about dl{margin-top:.4rem}.about dd{overflow-wrap:anywhere}
dt{font-size:.8rem;color:var(--soft)}dd{margin:0}
details,section{margin-top:1.75rem}
summary{cursor:pointer;padding:.2rem 0}
.badge{display:inline-block;padding:.1rem .55rem;border-radius:1rem;font-size:.8rem;font-weight:600;line-height:1.5;
white-space:nowrap;color:var(--grey);background:var(--grey-back)}
.badge.critical{color:var(--red);background:var(--red-back)}
.badge.warning{color:var(--amber);background:var(--amber-back)}
.badge.info{color:var(--blue);background:var(--blue-back)}
.badge.normal{color:var(--green);background:var(--green-back)}
h1 .badge{font-size:.95rem}
table{width:100%;margin-top:.5rem;border-collapse:collapse}
th,td{padding:.55rem .8rem .55rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{font-size:.85rem;color:var(--soft);font-weight:600;vertical-align:bottom}
tbody th{font-weight:600;overflow-wrap:anywhere;}
.moved{overflow-wrap:anywhere}.since{white-space:nowrap}
.bar{display:block;width:100%;max-width:8rem;height:.5rem;margin:.45rem 0 .2rem;border-radius:3px}
.columns{table-layout:fixed}th.column{width:14%}th.verdict{width:9.5rem}th.psi{width:12rem}th.evidence{width:10rem}
th.since{width:9.5rem}
.track{fill:var(--grey-back)}.fill{fill:var(--soft)}.critical .over .fill{fill:var(--red)}
.warning .over .fill{fill:var(--amber)}.info .over .fill{fill:var(--blue)}.mark{fill:var(--text)}
.problems{padding:.9rem 1.25rem;border-radius:8px;background:var(--red-back);color:var(--red);overflow-wrap:anywhere}
ul{margin:.4rem 0 0;padding-left:1.2rem}.notes li{color:var(--soft)}
.wide{overflow-x:auto}.statistics td,.statistics thead th+th{text-align:right;white-space:nowrap}
.statistics tbody th{max-width:30rem;min-width:12rem}
code{font:.9em ui-monospace,monospace}
footer{margin-top:2rem;padding-top:1rem;border-top:1px solid var(--line)}
nav{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem}
@media(max-width:48rem){
main{padding:1rem .8rem 2rem}
table.columns thead{display:none}
table.columns,table.columns tbody{display:block}
table.columns tr{display:grid;grid-template-columns:1fr 1fr;gap:.3rem 1rem;padding:.8rem 0;
border-bottom:1px solid var(--line)}
table.columns th,table.columns td{display:block;min-width:0;padding:0;border:0}
table.columns td[data-head=Verdict]{text-align:right}
table.columns td.moved,table.columns td.since{grid-column:1/-1}
table.columns td.since:empty{display:none}
table.columns td[data-head=PSI]::before,table.columns td[data-head=Evidence]::before{content:attr(data-head);
font-size:.8rem;color:var(--soft)}
table.columns td.since::before{content:"Since ";color:var(--soft)}
.bar{max-width:none;margin-top:.1rem}
}
""".strip()
