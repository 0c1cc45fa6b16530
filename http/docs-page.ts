/** The API reference at `/docs`: one page that draws `/openapi.json`, with nothing from another host. */
export const DOCS_PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Tidemark API</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
code,pre{font:14px/1.45 ui-monospace,monospace}
details{border:1px solid #d5dde5;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}b.m{display:inline-block;width:4.5rem;text-transform:uppercase;color:#0a5c8a}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-top:1px solid #e6ecf1}
pre{overflow:auto;background:#f4f7fa;padding:.6rem;border-radius:6px}.r{color:#5b6b7a}
@media(prefers-color-scheme:dark){body{color:#d8e1ea;background:#11181f}details,td,th{border-color:#2b3845}pre{background:#18222c}b.m{color:#63b3e4}}
</style>
<h1>Tidemark API</h1><p id="about"></p><p><a href="/openapi.json">openapi.json</a> · <a href="#records">Records that fill the answers</a></p><main id="routes">Loading…</main><section id="records"></section>
<script>
const el=(tag,text,cls)=>{const e=document.createElement(tag);if(text!==undefined)e.textContent=text;if(cls)e.className=cls;return e};
const table=(head,rows)=>{const t=el('table'),h=el('tr');head.forEach(x=>h.append(el('th',x)));t.append(h);
rows.forEach(r=>{const tr=el('tr');r.forEach(x=>tr.append(el('td',x)));t.append(tr)});return t};
const kind=s=>s.enum?s.enum.join(' | '):s.anyOf?s.anyOf.map(kind).join(' | '):[].concat(s.type||'any').join(' | ');
const attribute=a=>[a.name+(a.required?' *':''),a.type+(a.unit?', '+a.unit:''),a.description+(a.values?' ('+a.values.join(', ')+')':'')];
const records=families=>{const at=document.getElementById('records');at.append(el('h2','Records'),el('p','Names that have a meaning, and the fields that each fills. Other records are kept too and can be asked for by name.'));
for(const f of families){at.append(el('h3',f.title));for(const r of f.records){
const d=el('details'),s=el('summary');s.append(el('b',r.signal,'m'),el('code',r.name||''),' ',el('span',r.description+(r.unit?' ('+r.kind+', '+r.unit+')':''),'r'));d.append(s);
if(r.attributes.length)d.append(table(['attribute','type','meaning'],r.attributes.map(attribute)));
if(r.compatible.length)d.append(el('h4','Also known as'),table(['name','meaning'],r.compatible.map(c=>[c.name,c.description])));
d.append(el('h4','Fills'),r.fills.length?table(['route','fields'],r.fills.map(x=>[x.route,x.fields.join(', ')])):el('p',r.fills_nothing||'nothing yet'));at.append(d)}}};
fetch('/openapi.json').then(r=>r.json()).then(doc=>{
document.getElementById('about').textContent=doc.info.description+' Version '+doc.info.version+'.';
const main=document.getElementById('routes');main.textContent='';const groups={};
for(const [path,ops] of Object.entries(doc.paths))for(const [method,op] of Object.entries(ops))(groups[op.tags[0]]??=[]).push([path,method,op]);
for(const [tag,list] of Object.entries(groups)){main.append(el('h2',tag));for(const [path,method,op] of list){
const d=el('details'),s=el('summary');s.append(el('b',method,'m'),el('code',path),' ',el('span',op.summary,'r'));d.append(s);
if(op.description)d.append(el('p',op.description));
d.append(el('p',op['x-required-role']?'Needs a key with the role '+op['x-required-role']+'.':'Needs no key.'));
if(op.parameters.length)d.append(table(['parameter','in','values','meaning'],op.parameters.map(p=>[p.name+(p.required?' *':''),p.in,kind(p.schema),(p.description||'')+(p.schema.default!==undefined?' Default '+p.schema.default+'.':'')])));
if(op.requestBody)for(const [type,c] of Object.entries(op.requestBody.content)){d.append(el('h4','Body: '+type),el('pre',JSON.stringify(c.schema,null,2)))}
for(const [status,r] of Object.entries(op.responses))if(status!=='default'&&r.content)d.append(el('h4',status),el('pre',JSON.stringify(Object.values(r.content)[0].schema,null,2)));
main.append(d)}}
if(doc['x-conventions'])records(doc['x-conventions']);if(location.hash)location.hash=location.hash}).catch(e=>{document.getElementById('routes').textContent='The reference cannot be loaded: '+e});
</script></html>
`;
