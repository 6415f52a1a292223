import { test } from 'vitest';
import { startThingsBoardDouble } from '/work/main/src/simulator/thingsboard/double.ts';
import { startPublisher } from '/work/main/src/thingsboard/publisher.ts';
import { EventBus } from '/work/main/src/runtime/events.ts';
import { silentLogger } from '/work/main/src/runtime/logger.ts';
import { systemClock } from '/work/main/src/runtime/clock.ts';
test('x', async () => {
  const d = await startThingsBoardDouble({ tokens: [{ token: 't', device: 'g', gateway: true }] });
  const N = 50000; let next = 1;
  const rows = Array.from({length:N},(_, i)=>({id:i+1,connectionId:1,device:`h${i%1000}`,cycleId:`c${i}`,createdAt:0,readings:[1,2,3,4].map(k=>({key:`k${k}`,ts:i,type:'number' as const,text:'230.5',quality:'good' as const}))}));
  let done=0;
  const p = startPublisher({ target:{id:1,name:'m',url:`mqtt://127.0.0.1:${d.port}`,protocol:'5',mode:'gateway',caFile:null}, connection:{id:1,targetId:1,meterId:null,token:'t',retired:false},
   outbox:{ pending:(c,a,l)=>rows.slice(a,a+l), depth:()=>({rows:0,oldest:null,bytes:0,quarantined:0}), depthOf:()=>N-done}, writer:{acknowledge:async(ids)=>{done+=ids.length}, quarantine:async()=>{}}, clock:systemClock, logger:silentLogger, events:new EventBus(()=>{})});
  const t=Date.now(), cpu=process.cpuUsage();
  while(done<N) await new Promise(r=>setTimeout(r,5));
  const s=(Date.now()-t)/1000; const c=process.cpuUsage(cpu);
  console.log('rows/s', N/s, 'cpu us/row', (c.user+c.system)/N, p.statistics());
  await p.stop(); await d.stop();
}, 60000);
